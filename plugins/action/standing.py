"""See whether the last proof still stands: module standing without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import standing
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = standing.SPEC
    CODE = staticmethod(standing.run)
