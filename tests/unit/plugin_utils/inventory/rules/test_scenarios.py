"""What an inventory says about scenarios: names that there are, and tenants and services that it has."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import scenarios

SHOP: dict[str, Any] = {
    "name": "shop",
    "http_port": 30080,
    "services": [{"name": "basket"}, {"name": "stock"}],
    "routes": [{"service": "basket"}],
}


def own(**request: Any) -> dict[str, Any]:
    """A scenario of one's own with one request."""
    return {"id": "own", "title": "Own", "requests": [{"tenant": "shop", "service": "basket"} | request]}


def lines(**settings: Any) -> list[str]:
    """What is wrong with these settings, which one file sets."""
    found = scenarios.check_scenarios(settings, lambda name: f"group_vars/{name}.yml")
    return [finding.line() for finding in found]


def test_the_scenarios_of_the_role_are_known_by_their_numbers() -> None:
    assert [item["id"] for item in scenarios.known()] == [f"S{number}" for number in range(1, 8)]


def test_nothing_is_judged_that_will_not_run() -> None:
    """Neither without a wish nor without a mesh."""
    assert lines() == lines(scenarios_run=[]) == []
    assert lines(scenarios_run=["none-such"], twinstack_mesh=False) == []
    assert lines(scenarios_run=["own"], scenarios_all=[own(), own(tenant="gone") | {"id": "other"}]) != []
    others = [own(), own(tenant="gone") | {"id": "other"}]
    assert lines(scenarios_run=["own"], scenarios_all=others, twinstack_tenants=[SHOP]) == []


def test_a_name_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    assert lines(scenarios_run=["S8"]) == [
        "group_vars/scenarios_run.yml: scenarios_run: S8: found no such scenario; "
        "expected one of S1, S2, S3, S4, S5, S6, S7"
    ]
    assert lines(scenarios_run=["S1"], scenarios_all=[own()]) == [
        "group_vars/scenarios_run.yml: scenarios_run: S1: found no such scenario; expected one of own"
    ]


def test_an_empty_list_of_ones_own_means_the_roles() -> None:
    assert lines(scenarios_run=["S8"], scenarios_all=[]) == lines(scenarios_run=["S8"], scenarios_all=None) != []


def test_a_service_needs_a_route_only_from_outside() -> None:
    """Inside the mesh it is reached by its name."""
    settings: dict[str, Any] = {"scenarios_run": ["own"], "twinstack_tenants": [SHOP]}
    assert lines(**settings, scenarios_all=[own(service="stock")]) == [
        "group_vars/scenarios_run.yml: scenarios_run: own: found service stock; "
        "expected one with a route in shop (basket)"
    ]
    assert lines(**settings, scenarios_all=[own(service="stock", **{"from": "basket"})]) == []


def test_names_that_are_numbers_are_compared_as_text() -> None:
    """YAML makes numbers of them."""
    numbered = own() | {"id": 1}
    assert lines(scenarios_run=[1], scenarios_all=[numbered], twinstack_tenants=[SHOP]) == []


def test_what_is_no_scenario_is_passed_over() -> None:
    """That every item is a mapping is the argument spec's to say."""
    assert lines(scenarios_run=["own"], scenarios_all=["text", own()], twinstack_tenants=[SHOP]) == []
