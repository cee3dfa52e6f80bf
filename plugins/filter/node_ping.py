"""Filter node_ping: a thin door to plugin_utils/manifests/node_ping.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import node_ping as model


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"node_ping": model.node_ping}
