"""Refuse to remove a revision in use: module istio_revision_users without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import istio_revision_users
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = istio_revision_users.SPEC
    CODE = staticmethod(istio_revision_users.run)
