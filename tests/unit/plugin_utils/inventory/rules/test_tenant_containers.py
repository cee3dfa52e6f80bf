"""What a service may say of its container. What is refused, in full, is in tests/inventories/bad/services.yml."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenant_containers


def found(**given: Any) -> list[str]:
    """Findings, as lines."""
    return [one.line() for one in tenant_containers.check_container("file", "s", given)]


@pytest.mark.parametrize(
    "given",
    [
        {"probes": {"liveness": {"exec": {"command": ["true"]}, "failureThreshold": 1, "initialDelaySeconds": 0}}},
        {"probes": {"readiness": {"grpc": {"port": 9}}, "startup": {"httpGet": {"path": "/", "port": "http"}}}},
        {"probes": {}, "env": [], "resources": {}},
        {"env": [{"name": "EMPTY", "value": ""}, {"name": "NONE"}, {"name": "a.b-c", "valueFrom": {"fieldRef": {}}}]},
        {"resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}, "requests": {"cpu": "100m"}}},
    ],
)
def test_what_is_right_is_not_refused(given: dict[str, Any]) -> None:
    assert found(**given) == []


def test_no_value_of_a_variable_is_shown() -> None:
    lines = found(env=[{"name": "KEY", "value": "canary", "more": "canary"}]) + found(env={"KEY": "canary"})
    assert len(lines) == 2 and "canary" not in str(lines) and "KEY" in lines[0]


@pytest.mark.parametrize("value", ["much", "1 Gi", True, None, {"a": 1}, "-1"])
def test_what_is_no_quantity_is_refused(value: Any) -> None:
    assert found(resources={"limits": {"memory": value}})
