"""What a change of releases means for each service."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.istio import release

from tests.unit.module_utils.istio.release_samples import HOST, filters_of, tenant

BASKET = ("shop", "basket")
Objects = list[dict[str, Any]]


def made(item: dict[str, Any]) -> Objects:
    """Objects of a tenant's releases."""
    found: Objects = filters_of(item)["objects"]
    return found


def one(objects: Objects, kind: str, name: str = "basket") -> dict[str, Any]:
    """An object by kind and name."""
    return next(item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))


def subsets(rule: dict[str, Any]) -> list[str]:
    return [item["name"] for item in rule["spec"]["subsets"]]


def test_only_services_whose_routes_are_in_use_and_differ_are_moved() -> None:
    before, after = made(tenant("v1", more=("stock",))), made(tenant("v1", "v2", more=("stock", "new")))
    assert release.plan(before, after).moving == {BASKET}
    assert release.plan(before, before).moving == release.plan([], after).moving == set()
    assert release.plan(before, made(tenant(more=("stock",)))).moving == {BASKET}, "it goes"
    weights = made(tenant("v1", "v2", weights={"v1": 50, "v2": 50}))
    other = made(tenant("v1", "v2", weights={"v1": 10, "v2": 90}))
    assert release.plan(weights, other).moving == {BASKET}
    assert release.plan(weights, other).gone(BASKET) == set()


def test_what_goes_is_named_by_its_subsets() -> None:
    plan = release.plan(made(tenant("v1", "v2")), made(tenant("v2", "v3")))
    assert plan.gone(BASKET) == {"v1"}
    assert release.plan(made(tenant("v1", "v2")), []).gone(BASKET) == {"v1", "v2"}


def test_versions_that_get_requests_are_those_with_a_weight_or_a_header() -> None:
    found = release.of_services(made(tenant("v1", "v2", weights={"v1": 100, "v2": 0})))[BASKET]
    assert found.used() == {"v1"} and found.clusters() == {f"outbound|80|v1|{HOST}"}
    assert release.of_services(made(tenant("v1", "v2")))[BASKET].used() == {"v1", "v2"}


def test_a_union_has_old_and_new_subsets_once() -> None:
    old, new = (one(made(tenant(*versions)), "DestinationRule") for versions in (("v1", "v2"), ("v2", "v3")))
    assert subsets(release.union(new, old)) == ["v1", "v2", "v3"]
    assert release.union(new, new) == new and release.union(new, None) == new
    assert subsets(new) == ["v2", "v3"], "what is wanted is not changed"


def test_a_service_that_is_held_keeps_its_rules_and_their_place() -> None:
    item = tenant("v2", more=("stock",))
    item["routes"] = [{"service": "basket", "path": "/a/long/one"}, {"service": "stock", "path": "/"}]
    live = tenant("v1")
    live["routes"] = [{"service": "basket", "path": "/shop"}]
    wanted, there = (one(made(of), "VirtualService", "gateway-routes") for of in (item, live))
    found = release.without(wanted, there, {"basket"})
    assert found is not None
    rules = [(rule["name"], rule["route"][0]["destination"]["subset"]) for rule in found["spec"]["http"]]
    assert rules == [("basket", "v1"), ("stock", "v1")], "longer paths first"
    assert release.without(wanted, there, set()) == wanted
    assert release.without(one(made(live), "VirtualService"), None, {"basket"}) is None
    both = one(made(tenant("v1", "v2")), "VirtualService", "gateway-routes")
    kept = release.without(wanted, both, {"basket"})
    assert kept is not None
    order = ["headers" in str(rule) for rule in kept["spec"]["http"]]
    assert order == [True, False, False], "headers before the rest"
