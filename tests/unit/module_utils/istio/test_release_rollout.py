"""Releases change in an order that loses no request, against a server and proxies that lag behind."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import release_rollout

from tests.unit.module_utils.istio.release_samples import (
    GATEWAY,
    MESH,
    RULE,
    World,
    deployment,
    owned,
    proxy_pod,
    tenant,
    waiting,
)

HALF = {"v1": 50, "v2": 50}


@pytest.fixture
def released(world: World) -> World:
    """The first version has its routes, and every proxy has them."""
    world.release(tenant("v1"))
    for name in ("proxy-a", "proxy-b"):
        world.take(name)
    world.lost.clear()
    return world


def image_missing(world: World, name: str) -> None:
    """A Deployment whose image nobody has."""
    world.put(
        deployment(name, ready=False),
        owned("ReplicaSet", f"{name}-1", ("Deployment", name), {}),
        owned("Pod", f"{name}-1-x", ("ReplicaSet", f"{name}-1"), waiting("InvalidImageName", "no such image")),
    )


def test_the_first_routes_of_a_service_are_applied_at_once(world: World) -> None:
    """Its pods need not even be there: nothing can be lost."""
    world.put(deployment("basket-v2", ready=False))
    found = world.release(tenant("v1", "v2"))
    assert found["changed"] and found["held"] == [] and found["moving"] == []
    assert len(world.writes()) == 3 and world.asked == []


def test_an_unchanged_release_asks_nobody(released: World) -> None:
    found = released.release(tenant("v1"))
    assert not found["changed"] and released.writes() == [] and released.asked == []


def test_a_version_more_gets_requests_when_all_proxies_reach_it(released: World) -> None:
    released.put(deployment("basket-v2"))
    found = released.release(tenant("v1", "v2", weights=HALF))
    assert found["moving"] == ["shop/basket"] and found["held"] == []
    assert released.writes()[0] == "PATCH destinationrules/basket"
    assert set(released.writes()[1:]) == {"PATCH virtualservices/basket", "PATCH virtualservices/gateway-routes"}
    assert released.subsets() == ["v1", "v2"] and set(released.routed(GATEWAY)) == {"v1", "v2"}
    assert released.lost == []


def test_a_promotion_takes_the_old_subset_away_when_no_proxy_leads_there(released: World) -> None:
    released.put(deployment("basket-v2"))
    found = released.release(tenant("v2"))
    assert found["held"] == [] and found["moving"] == ["shop/basket"]
    assert released.writes()[0] == released.writes()[-1] == "PATCH destinationrules/basket"
    assert len(released.writes()) == 4
    assert released.subsets() == ["v2"] and released.routed() == ["v2"]
    assert released.lost == []
    assert released.release(tenant("v2"))["changed"] is False


def test_what_a_naive_order_loses_is_noticed_by_these_tests(released: World) -> None:
    """Else none of them could fail."""
    released.put(deployment("basket-v2", ready=False))
    with released.state.lock:
        released.state.objects[MESH]["spec"]["http"][0]["route"][0]["destination"]["subset"] = "v2"
        released.take("proxy-a")
    assert released.lost


def test_a_run_that_died_between_two_steps_is_taken_up(released: World) -> None:
    """With old and new subsets, and new routes that one proxy does not have."""
    released.put(deployment("basket-v2"))
    released.stuck.add("proxy-b")
    found = released.release(tenant("v2"), proxies_timeout=0.3)
    assert "proxy shop/proxy-b" in found["held"][0]["why"]
    released.stuck.clear()
    found = released.release(tenant("v2"))
    assert found["held"] == [] and released.subsets() == ["v2"] and released.lost == []


def test_a_version_that_does_not_start_gets_no_requests_and_the_others_do(released: World) -> None:
    released.put(deployment("stock-v1"))
    image_missing(released, "basket-v2")
    found = released.release(tenant("v2", more=("stock",)), timeout=60)
    (held,) = found["held"]
    assert (held["namespace"], held["service"], held["deployments"]) == ("shop", "basket", ["basket-v2"])
    for word in ("Deployment shop/basket-v2", "basket-v2-1-x", "container basket", "InvalidImageName: no such image"):
        assert word in held["why"]
    assert released.subsets() == ["v1"] and released.routed() == ["v1"]
    rules = released.state.objects[GATEWAY]["spec"]["http"]
    assert [(rule["name"], rule["route"][0]["destination"]["subset"]) for rule in rules] == [
        ("basket", "v1"),
        ("stock", "v1"),
    ]
    assert not any(line.startswith("DELETE") for line in released.writes())
    back = released.release(tenant("v1", more=("stock",)))
    assert back["held"] == [] and released.lost == []


def test_no_route_is_applied_while_a_proxy_does_not_reach_the_new_version(released: World) -> None:
    released.put(deployment("basket-v2"))
    released.stuck.add("proxy-b")
    found = released.release(tenant("v2"), proxies_timeout=0.3)
    (held,) = found["held"]
    assert "proxy shop/proxy-b lacks cluster outbound|80|v2|basket.shop.svc.cluster.local" in held["why"]
    assert "proxy-a" not in held["why"]
    assert released.routed() == released.routed(GATEWAY) == ["v1"]
    assert released.subsets() == ["v1", "v2"] and released.lost == []


def test_nothing_is_taken_away_while_a_proxy_leads_there(released: World) -> None:
    released.put(deployment("basket-v2"))

    def stick(path: str) -> None:
        released.check(path)
        if path == MESH:
            released.stuck.add("proxy-b")

    released.state.changed = stick
    found = released.release(tenant("v2"), proxies_timeout=0.3)
    (held,) = found["held"]
    assert "proxy shop/proxy-b still has a route to v1" in held["why"]
    assert released.subsets() == ["v1", "v2"] and released.routed() == ["v2"] and released.lost == []


def test_routes_of_a_service_that_goes_are_removed_before_its_subsets(released: World) -> None:
    released.put(deployment("stock-v1"))
    released.release(tenant("v1", more=("stock",)))
    for name in ("proxy-a", "proxy-b"):
        released.take(name)
    found = released.release(tenant(more=("stock",)))
    assert found["moving"] == ["shop/basket"] and found["held"] == []
    order = [line for line in released.writes() if "basket" in line or "gateway" in line]
    assert order == [
        "PATCH virtualservices/gateway-routes",
        "DELETE virtualservices/basket",
        "DELETE destinationrules/basket",
    ]
    assert RULE not in released.state.objects and released.lost == []


def test_pods_that_leave_and_do_not_answer_are_no_obstacle(released: World) -> None:
    released.put(deployment("basket-v2"), proxy_pod("gone", deletionTimestamp="2026-11-28T00:00:00Z"))
    execute = released.execute

    def refusing(where: tuple[str, str, str], command: list[str]) -> str:
        if where[1] == "gone":
            raise OSError("container not found")
        return execute(where, command)

    released.execute = refusing  # type: ignore[method-assign]
    released.state.stays["/api/v1/namespaces/shop/pods/gone"] = 1000
    assert released.release(tenant("v2"))["held"] == []
    released.put(proxy_pod("gone"))
    found = released.release(tenant("v1"), proxies_timeout=0.3)
    assert "proxy shop/gone does not answer: container not found" in found["held"][0]["why"]


def test_a_trouble_that_may_pass_ends_the_wait_only_when_it_lasts(
    released: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.put(
        deployment("basket-v2", ready=False),
        owned("ReplicaSet", "basket-v2-1", ("Deployment", "basket-v2"), {}),
        owned("Pod", "basket-v2-1-x", ("ReplicaSet", "basket-v2-1"), waiting("ImagePullBackOff", "away")),
    )
    found = released.release(tenant("v2"), timeout=0.3)
    assert "ImagePullBackOff" in found["held"][0]["why"], "the time was up"
    monkeypatch.setattr(release_rollout, "PATIENCE_SECONDS", 0.1)
    assert "ImagePullBackOff: away" in released.release(tenant("v2"), timeout=600)["held"][0]["why"]


def test_check_mode_tells_what_would_be_and_writes_nothing(released: World) -> None:
    found = released.release(tenant("v2"), check=True)
    assert found["changed"] and found["moving"] == ["shop/basket"] and found["held"] == []
    assert set(found["objects"]) == {
        "DestinationRule shop/basket",
        "VirtualService shop/basket",
        "VirtualService shop/gateway-routes",
    }
    assert released.writes() == [] and released.asked == []
    new = tenant("v1") | {"name": "later"}
    assert len(released.release(new, check=True)["objects"]) == 3, "of a namespace that is to come"


def test_without_proxies_only_pods_are_waited_for(world: World) -> None:
    for path in [path for path in world.state.objects if "/pods/" in path]:
        del world.state.objects[path]
    world.release(tenant("v1"))
    world.put(deployment("basket-v2"))
    assert world.release(tenant("v2"))["held"] == [] and world.asked == []
    assert world.release(tenant("v3"), timeout=5)["held"][0]["why"].endswith("not there")


def test_a_refusal_of_the_api_server_ends_it_before_any_route_changes(released: World) -> None:
    released.put(deployment("basket-v2"))
    released.state.refuse[RULE] = [(403, "not yours")]
    found = released.release(tenant("v2"))
    assert found["failed"] and "DestinationRule shop/basket" in found["msg"] and "not yours" in found["msg"]
    assert released.routed() == ["v1"] and released.lost == []


def test_no_proxy_of_a_namespace_that_goes_is_waited_for(released: World) -> None:
    """It may be on a host that is dead."""
    released.stuck |= {"proxy-a", "proxy-b"}
    found = released.release(tenant(), namespaces=[])
    assert found["held"] == [] and released.asked == [] and RULE not in released.state.objects
