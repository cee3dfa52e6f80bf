"""Apply objects: module apply without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import apply
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = apply.SPEC
    CODE = staticmethod(apply.run)
