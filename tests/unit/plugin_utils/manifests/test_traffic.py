"""Releases and limits as Istio's objects."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.filter import traffic as filters
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads, traffic

from tests.unit.plugin_utils.manifests.tenant_samples import BUSY

# --- releases ---------------------------------------------------------------------------------------------------------


def releases(*tenants: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects of releases by kind and name."""
    found = filters.canary_objects(tenant_workloads.canaries(list(tenants)), "cluster.local")
    return {(one["kind"], one["metadata"]["name"]): one["spec"] for one in found}


def test_a_release_is_chosen_by_any_of_its_headers_and_by_nothing_else() -> None:
    found = releases(BUSY)
    inside = found["VirtualService", "shop"]
    assert inside["hosts"] == ["shop.foo.svc.cluster.local"] and inside["gateways"] == ["mesh"]
    chosen, everybody = inside["http"]
    assert chosen["match"] == [
        {"headers": {"version": {"exact": "v1-1"}}},
        {"headers": {"shopversion": {"exact": "v1-1"}}},  # HTTP's names have no case, Envoy's are small
    ]
    assert chosen["route"][0]["destination"]["subset"] == "v1-1"
    assert "match" not in everybody and everybody["route"][0]["destination"]["subset"] == "v1-0"
    subsets = found["DestinationRule", "shop"]["subsets"]
    assert [(one["name"], one["labels"]) for one in subsets] == [
        ("v1-0", {"version": "v1.0"}),
        ("v1-1", {"version": "v1.1"}),
    ]


def test_a_path_at_the_gateway_is_taken_off_and_ends_at_a_slash() -> None:
    rules = releases(BUSY)["VirtualService", "gateway-routes"]["http"]
    assert [rule["name"] for rule in rules] == ["shop", "shop"]
    assert rules[-1]["match"] == [{"uri": {"exact": "/shop"}}, {"uri": {"prefix": "/shop/"}}]
    assert all(rule["rewrite"] == {"uri": "/"} for rule in rules)
    assert len(rules[0]["match"]) == 4, "every path with every header"


def test_longer_paths_come_first_and_the_root_takes_the_rest() -> None:
    item = {"namespace": "a", "versions": ["v1"], "gateway": "gateway"}
    paths = [("one", "/"), ("two", "/x/y"), ("three", "/x")]
    found = filters.canary_objects([item | {"service": name, "path": path} for name, path in paths], "cluster.local")
    (routes,) = [one for one in found if one["metadata"]["name"] == "gateway-routes"]
    assert [rule["name"] for rule in routes["spec"]["http"]] == ["two", "three", "one"]
    assert routes["spec"]["http"][-1]["match"] == [{"uri": {"prefix": "/"}}]


def test_weights_name_every_version() -> None:
    item = {"namespace": "a", "service": "s", "versions": ["v1", "v2"], "weights": {"v2": 100}}
    (rule,) = next(
        one["spec"]["http"] for one in filters.canary_objects([item], "x") if one["kind"] == "VirtualService"
    )
    assert [(one["destination"]["subset"], one["weight"]) for one in rule["route"]] == [("v1", 0), ("v2", 100)]


def test_nothing_is_exported_to_other_namespaces() -> None:
    for (kind, _), spec in releases(BUSY, BUSY | {"name": "bar"}).items():
        assert spec["exportTo"] == ["."], kind


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_limit_at_the_gateway_is_one_bucket_for_all_releases() -> None:
    found = filters.rate_limit_objects(tenant_workloads.limits([BUSY]))
    gateway, workload = sorted(
        (one["spec"] for one in found), key=lambda spec: str(spec["workloadSelector"]), reverse=True
    )
    assert gateway["workloadSelector"]["labels"] == {"istio": "foo-gateway"}
    limited, counted = gateway["configPatches"]
    value = limited["patch"]["value"]["typed_config"]["value"]
    (descriptor,) = value["descriptors"]
    assert descriptor["token_bucket"] == {"max_tokens": 20, "tokens_per_fill": 20, "fill_interval": "1s"}
    assert counted["match"]["routeConfiguration"]["vhost"]["route"]["name"] == "shop"
    (action,) = counted["patch"]["value"]["route"]["rate_limits"][0]["actions"]
    assert action["generic_key"]["descriptor_value"] == descriptor["entries"][0]["value"] == "shop"
    assert workload["workloadSelector"]["labels"] == {"app": "stock"}
    bucket = workload["configPatches"][0]["patch"]["value"]["typed_config"]["value"]["token_bucket"]
    assert bucket["max_tokens"] == 5
    assert workload["configPatches"][0]["match"]["context"] == "SIDECAR_INBOUND"


def test_two_limits_at_one_gateway_are_one_filter() -> None:
    more = BUSY | {"services": [*BUSY["services"], {"name": "third", "limit": {"requests": 7, "seconds": 60}}]}
    found = [
        one
        for one in filters.rate_limit_objects(tenant_workloads.limits([more]))
        if "gateway" in one["metadata"]["name"]
    ]
    (one,) = found
    value = one["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["value"]
    assert [item["token_bucket"]["max_tokens"] for item in value["descriptors"]] == [20, 7]
    assert len(one["spec"]["configPatches"]) == 3


@pytest.mark.parametrize("version", ["v0.0.2", "v0-0-2"])
def test_a_version_in_a_header_has_no_dots(version: str) -> None:
    assert traffic.label(version) == "v0-0-2"


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/", [{"uri": {"prefix": "/"}}]),
        ("", [{"uri": {"prefix": "/"}}]),
        ("/shop", [{"uri": {"exact": "/shop"}}, {"uri": {"prefix": "/shop/"}}]),
        ("/shop/", [{"uri": {"exact": "/shop"}}, {"uri": {"prefix": "/shop/"}}]),
    ],
)
def test_a_path_is_not_the_beginning_of_another(path: str, matches: list[dict[str, Any]]) -> None:
    """/shop is not /shopping."""
    assert traffic.paths(path) == matches


def canary(**changes: Any) -> traffic.Canary:
    """Two releases of one Service."""
    return traffic.parse_canary({"namespace": "a", "service": "s", "versions": ["v1", "v0.2"]} | changes)


def test_what_an_item_does_not_say_is_the_usual() -> None:
    assert canary() == traffic.Canary("a", "s", ("v1", "v0.2"), ("version",), "exact", None, "", "/", ("*",), 80)
    assert traffic.parse_limit(
        {"namespace": "a", "name": "n", "selector": {"app": 1}, "requests": "5"}
    ) == traffic.Limit("a", "n", {"app": "1"}, 5, 1, "workload", "")
    assert canary(weights={}).weights is None, "no shares are no releases by share"
    assert canary(weights={"v1": "80"}, port="8080").weights == {"v1": 80}


@pytest.mark.parametrize("key", ["namespace", "service", "versions"])
def test_what_an_item_lacks_is_named(key: str) -> None:
    item = {"namespace": "a", "service": "s", "versions": ["v1"]}
    with pytest.raises(KeyError, match=key):
        traffic.parse_canary({name: value for name, value in item.items() if name != key})


def test_releases_are_chosen_by_a_prefix_where_told_and_reached_at_their_port() -> None:
    chosen, everybody = traffic.rules(canary(match="prefix", headers=["X-Release"], port=8080), "s.a", [{}])
    assert chosen["match"] == [{"headers": {"x-release": {"prefix": "v0-2"}}}]
    destinations = [rule["route"][0]["destination"] for rule in (chosen, everybody)]
    assert destinations == [
        {"host": "s.a", "subset": "v0-2", "port": {"number": 8080}},
        {"host": "s.a", "subset": "v1", "port": {"number": 8080}},
    ]
    assert "rewrite" not in chosen and "rewrite" not in everybody


def test_the_root_is_not_taken_off() -> None:
    """There is nothing in front of it."""
    found = traffic.rules(canary(), "s.a", traffic.paths("/"))
    assert not any("rewrite" in rule for rule in found)
    assert all(rule["match"][0]["uri"] == {"prefix": "/"} for rule in found)


def test_inside_the_mesh_the_first_of_a_services_items_holds() -> None:
    """At the gateway each of them has its path."""
    items = [canary(gateway="gateway", path="/one"), canary(gateway="gateway", path="/two", weights={"v1": 100})]
    found = traffic.canary_objects(items, "cluster.local")
    assert [one["kind"] for one in found] == ["DestinationRule", "VirtualService", "VirtualService"]
    assert len(traffic.canary_objects([canary()], "cluster.local")) == 2, "routes of no gateway"
    inside, outside = found[1]["spec"]["http"], found[2]["spec"]["http"]
    assert "weight" not in inside[-1]["route"][0]
    assert {match["uri"].get("exact") for rule in outside for match in rule["match"]} == {"/one", "/two", None}


def test_names_of_hosts_have_routes_of_their_own_at_one_gateway() -> None:
    items = [canary(gateway="gateway", hosts=[host]) for host in ("b.example", "a.example")]
    items.append(canary(gateway="other"))
    found = [one for one in traffic.canary_objects(items, "x") if one["metadata"]["name"] != "s"]
    assert [(one["metadata"]["name"], one["spec"]["hosts"], one["spec"]["gateways"]) for one in found] == [
        ("gateway-routes-0", ["a.example"], ["gateway"]),
        ("gateway-routes-1", ["b.example"], ["gateway"]),
        ("other-routes", ["*"], ["other"]),
    ]


def limit(name: str, requests: int, seconds: int = 1, **changes: Any) -> traffic.Limit:
    """A limit in the pods of one app."""
    item = {"namespace": "a", "name": name, "selector": {"app": "x"}, "requests": requests, "seconds": seconds}
    return traffic.parse_limit(item | changes)


def test_the_tightest_of_several_limits_in_a_pod_holds() -> None:
    """By its rate, whatever its numbers are."""
    (one,) = traffic.rate_limit_objects([limit("b", 10), limit("c", 100, 60), limit("d", 50, 5)])
    assert one["metadata"] == {"name": "rate-limit-workload-b", "namespace": "a"}
    (patch,) = one["spec"]["configPatches"]
    bucket = patch["patch"]["value"]["typed_config"]["value"]["token_bucket"]
    assert bucket == {"max_tokens": 100, "tokens_per_fill": 100, "fill_interval": "60s"}


def test_proxies_of_another_namespace_app_or_place_have_a_filter_of_their_own() -> None:
    limits = [
        limit("a", 1),
        limit("b", 1, selector={"app": "y"}),
        limit("c", 1, namespace="b"),
        limit("d", 1, at="gateway", route="d"),
    ]
    found = traffic.rate_limit_objects(limits)
    assert [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found] == [
        ("a", "rate-limit-gateway-d"),
        ("a", "rate-limit-workload-a"),
        ("a", "rate-limit-workload-b"),
        ("b", "rate-limit-workload-c"),
    ]
    assert traffic.rate_limit_objects([]) == []


def test_requests_without_a_limit_of_their_own_pass_the_gateway() -> None:
    """Whose bucket for all would else be the first limit's."""
    (one,) = traffic.rate_limit_objects([limit("a", 1, at="gateway", route="a")])
    value = one["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["value"]
    assert value["token_bucket"]["max_tokens"] > 100_000
    assert value["filter_enforced"]["default_value"] == {"numerator": 100, "denominator": "HUNDRED"}
