"""Read what proxies refused: module istio_rejected_config without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import istio_rejected_config
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = istio_rejected_config.SPEC
    CODE = staticmethod(istio_rejected_config.run)
