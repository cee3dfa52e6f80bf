"""Renew proxies: module istio_proxy_renewal without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import istio_proxy_renewal
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = istio_proxy_renewal.SPEC
    CODE = staticmethod(istio_proxy_renewal.run)
