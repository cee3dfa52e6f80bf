"""See whether the cluster is unchanged since its last verification, without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import verify_unchanged
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = verify_unchanged.SPEC
    CODE = staticmethod(verify_unchanged.run)
