"""How much configuration a proxy has, counted out of Envoy's dump."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import proxy_config


def dump(*parts: tuple[str, str, list[Any]]) -> str:
    """What the command prints in a pod."""
    configs = [{"@type": f"type.googleapis.com/envoy.admin.v3.{kind}", field: items} for kind, field, items in parts]
    return json.dumps({"configs": configs}) + '\n{\n "allocated": "77"\n}\n' + proxy_config.END


def test_only_what_istiod_sent_is_counted() -> None:
    locality: dict[str, Any] = {"lb_endpoints": [{"endpoint": {"address": {}, "additional_addresses": [{}]}}]}
    clusters = [{"cluster": {"name": name}} for name in ("outbound|80||a.svc", "BlackHoleCluster")]
    text = dump(
        ("BootstrapConfigDump", "bootstrap", [{}]),
        ("ListenersConfigDump", "dynamic_listeners", [{}, {}]),
        ("ClustersConfigDump", "dynamic_active_clusters", [{}, *clusters]),
        (
            "RoutesConfigDump",
            "dynamic_route_configs",
            [{"route_config": {"virtual_hosts": [{}, {}]}}, {"route_config": {}}],
        ),
        (
            "EndpointsConfigDump",
            "dynamic_endpoint_configs",
            [{"endpoint_config": {"endpoints": [locality]}}],
        ),
    )
    found = proxy_config.parse(text)
    assert (found["listeners"], found["clusters"], found["routes"], found["endpoints"]) == (2, 3, 2, 2)
    assert (found["outbound"], found["hosts"]) == (1, 1)
    assert found["memory"] == 77 and found["bytes"] > 50


def test_another_answer_is_no_count() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        proxy_config.parse(f"curl: (7) Failed to connect\n{proxy_config.END}")


def test_a_dump_without_any_configuration_counts_nothing_but_memory() -> None:
    found = proxy_config.parse(dump(("ListenersConfigDump", "static_listeners", [{}]), ("RoutesConfigDump", "x", [])))
    assert found.pop("memory") == 77
    assert found.pop("bytes") == 2 * len("[]")
    assert set(found) == {"listeners", "clusters", "routes", "endpoints", "outbound", "hosts"}
    assert set(found.values()) == {0}


def test_an_endpoint_of_both_families_is_one_host_with_two_addresses() -> None:
    def endpoints(*hosts: dict[str, Any]) -> str:
        localities = [{"lb_endpoints": [{"endpoint": host} for host in hosts]}]
        item = {"endpoint_config": {"endpoints": localities}}
        return dump(("EndpointsConfigDump", "dynamic_endpoint_configs", [item]))

    dual: dict[str, Any] = {"address": {}, "additional_addresses": [{}]}
    single: dict[str, Any] = {"address": {}}
    for hosts, counted in (((dual,), (1, 2)), ((single, single), (2, 2)), ((dual, single), (2, 3))):
        found = proxy_config.parse(endpoints(*hosts))
        assert (found["hosts"], found["endpoints"]) == counted
