"""Sizes and times as Kubernetes and Prometheus read them, and settings that are unusual but right."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.observability import (
    check_observability,
    is_duration,
    quantity_bytes,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1.5Gi", 3 * 1024**3 // 2), ("5G", 5 * 10**9), ("9k", 9000), ("70", 70), ("5GB", None), ("-1Gi", None)],
)
def test_kubernetes_has_binary_and_decimal_sizes(text: str, size: int | None) -> None:
    assert quantity_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "right"),
    [("1w2d", True), ("500ms", True), ("1h30m", True), ("0s", False), ("1m1h", False), ("15", False), ("", False)],
)
def test_a_duration_has_its_units_in_order(text: str, right: bool) -> None:
    assert is_duration(text) is right


def test_what_is_unusual_but_right_is_not_refused() -> None:
    settings = {
        "istio_trace_sampling_percent": 0,
        "observability_prometheus_retention_time": "1y6w",
        "observability_prometheus_scrape_interval": "500ms",
        "observability_prometheus_retention_size": "100MB",
        "observability_prometheus_storage_size": "105M",
        "observability_prometheus_storage_path": "/srv/metrics",
        "observability_prometheus_watched_services": {"a.b": 65535},
        "observability_jaeger_retention": "1h30m",
    }
    assert list(check_observability(settings, {}, lambda name: name)) == []
    assert list(check_observability(settings | {"istio_trace_sampling_percent": 100.0}, {}, lambda name: name)) == []
