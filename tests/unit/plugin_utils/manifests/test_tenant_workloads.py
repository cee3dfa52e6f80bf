"""What tenants run, and what is made of their routes and limits."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.filter import traffic as filters
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenant_services
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads, traffic

FOO: dict[str, Any] = {
    "name": "foo",
    "http_port": 30080,
    "reaches": ["billing"],
    "services": [
        {"name": "shop", "versions": ["v1.0", "v1.1"], "limit": {"requests": 20}},
        {"name": "stock", "image": "example.org/stock:2", "port": 9000, "limit": {"requests": 5, "at": "workload"}},
    ],
    "routes": [{"service": "shop", "path": "/shop", "headers": ["version", "shopVersion"]}],
}


def made(item: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by name."""
    found = tenant_workloads.objects(item, "ipv6", "twinstack.internal/demo:1", {"limits": {"memory": "128Mi"}})
    return {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] == kind}


def test_every_version_is_a_deployment_that_the_namespace_admits() -> None:
    deployments = made(FOO, "Deployment")
    assert set(deployments) == {"shop-v1-0", "shop-v1-1", "stock-v0-0-1"}
    for spec in deployments.values():
        pod = spec["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert not pod["automountServiceAccountToken"]
        assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (own,) = deployments["stock-v0-0-1"]["template"]["spec"]["containers"]
    assert own["image"] == "example.org/stock:2"
    assert "readinessProbe" not in own, "nothing is known of a user's own image"
    (demo,) = deployments["shop-v1-1"]["template"]["spec"]["containers"]
    assert demo["readinessProbe"] and demo["livenessProbe"]
    assert {"name": "VERSION", "value": "v1.1"} in demo["env"]


def test_every_service_has_both_families_in_the_clusters_order() -> None:
    services = made(FOO, "Service")
    assert set(services) == {"shop", "stock"}
    for spec in services.values():
        assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("RequireDualStack", ["IPv6", "IPv4"])
        assert spec["ports"][0]["name"] == "http"
    assert services["stock"]["ports"][0]["targetPort"] == 9000


def test_proxies_get_configuration_of_their_own_tenant_and_what_it_reaches() -> None:
    assert made(FOO, "Sidecar")["default"]["egress"] == [
        {"hosts": ["./*", "istio-system/*", "observability/*", "billing/*"]}
    ]
    (rule,) = made(FOO, "NetworkPolicy")["reaches"]["egress"]
    assert rule == {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "billing"}}}]}
    assert made({"name": "bar"}, "NetworkPolicy") == {}


def test_a_quota_counts_what_a_change_makes_beside_the_old_pods() -> None:
    assert tenant_workloads.needed(FOO, gateways=2) == {"pods": 2 * 2 + 2 + 3, "services": 3}
    assert made(FOO | {"quota": {"pods": 9}}, "ResourceQuota")["tenant"]["hard"] == {"pods": "9", "services": "12"}


def test_all_deployments_are_waited_for() -> None:
    (wait,) = tenant_workloads.names([FOO, {"name": "bar"}])
    assert (wait["namespace"], wait["names"]) == ("foo", ["shop-v1-0", "shop-v1-1", "stock-v0-0-1"])


# --- releases ---------------------------------------------------------------------------------------------------------


def releases(*tenants: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects of releases by kind and name."""
    found = filters.canary_objects(tenant_workloads.canaries(list(tenants)), "cluster.local")
    return {(one["kind"], one["metadata"]["name"]): one["spec"] for one in found}


def test_a_release_is_chosen_by_any_of_its_headers_and_by_nothing_else() -> None:
    found = releases(FOO)
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
    rules = releases(FOO)["VirtualService", "gateway-routes"]["http"]
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
    for (kind, _), spec in releases(FOO, FOO | {"name": "bar"}).items():
        assert spec["exportTo"] == ["."], kind


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_limit_at_the_gateway_is_one_bucket_for_all_releases() -> None:
    found = filters.rate_limit_objects(tenant_workloads.limits([FOO]))
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
    more = FOO | {"services": [*FOO["services"], {"name": "third", "limit": {"requests": 7, "seconds": 60}}]}
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


def test_a_tenant_that_is_right_is_not_refused() -> None:
    """Unusual values among it: what is refused is in tests/inventories/bad/services.yml."""
    odd: dict[str, Any] = {
        "services": [
            {
                "name": "a",
                "versions": ["v1", "2.0.1-rc.1"],
                "limit": {"requests": 1, "seconds": 3600, "at": "workload"},
            },
            {"name": "b" * 40, "replicas": 3, "port": 1},
        ],
        "routes": [{"service": "a", "path": "/", "headers": ["X-Release"], "match": "prefix"}],
        "quota": {"pods": 13},
        "reaches": ["kube-system"],
    }
    right: list[dict[str, Any]] = [FOO, odd, {"services": [], "routes": []}, {}]
    for item in right:
        assert list(tenant_services.check_services("file", "field", item, 2)) == []
