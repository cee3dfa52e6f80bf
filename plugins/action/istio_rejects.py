"""Read what proxies refused: module istio_rejects without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import istio_rejects
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = istio_rejects.SPEC
    CODE = staticmethod(istio_rejects.run)
