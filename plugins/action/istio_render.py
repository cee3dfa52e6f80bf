"""Render Istio's charts: module istio_render without a Python of its own."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.modules import istio_render
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The module's code."""

    SPEC = istio_render.SPEC
    CODE = staticmethod(istio_render.run)
