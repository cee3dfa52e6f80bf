"""Change releases without losing a request: module istio_release without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import istio_release
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = istio_release.SPEC
    CODE = staticmethod(istio_release.run)
