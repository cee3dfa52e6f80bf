"""What scenarios bring into the cluster."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects


def test_what_scenarios_bring_is_in_one_namespace_and_single_stack_where_it_says_so() -> None:
    found = scenario_objects.objects("demo:1", "fortio:1")
    assert {item["metadata"].get("namespace", item["metadata"]["name"]) for item in found} == {
        scenario_objects.NAMESPACE
    }
    services = {item["metadata"]["name"]: item["spec"]["ipFamilies"] for item in found if item["kind"] == "Service"}
    assert services == {"dual": ["IPv4", "IPv6"], "only-ipv4": ["IPv4"], "only-ipv6": ["IPv6"]}
