"""Sizes as Prometheus reads them."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.retention import retention_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MB", 512 * 1024**2), ("4GiB", 4 * 1024**3), ("100B", 100), ("4G", None), ("4.5GB", None), ("", None)],
)
def test_prometheus_counts_sizes_in_powers_of_1024(text: str, size: int | None) -> None:
    assert retention_bytes(text) == size
