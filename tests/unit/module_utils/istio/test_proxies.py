"""What proxies say of themselves."""

from __future__ import annotations

import json

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import proxies

from tests.unit.module_utils.istio.release_samples import proxy_pod

HOST = "basket.shop.svc.cluster.local"
# As Envoy prints it.
CLUSTERS = f"""BlackHoleCluster::observability_name::BlackHoleCluster
xds-grpc::observability_name::xds-grpc
outbound|80||{HOST}::observability_name::outbound|80||{HOST};
outbound|80||{HOST}::10.244.1.7:8080::cx_active::0
outbound|80||{HOST}::10.244.1.7:8080::health_flags::healthy
outbound|80|v1|{HOST}::added_via_api::true
outbound|80|v1|{HOST}::10.244.1.7:8080::health_flags::healthy
outbound|80|v1|{HOST}::[fd00::7]:8080::health_flags::healthy
outbound|80|v2|{HOST}::added_via_api::true
outbound|80|v2|{HOST}::[fd00::8]:8080::health_flags::/failed_eds_health
"""
ROUTES = {
    "configs": [
        {
            "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig",
            "route_config": {
                "virtual_hosts": [
                    {
                        "routes": [
                            {"route": {"cluster": f"outbound|80|v1|{HOST}", "timeout": "0s"}},
                            {"route": {"weighted_clusters": {"clusters": [{"name": f"outbound|80|v2|{HOST}"}]}}},
                        ]
                    }
                ]
            },
        }
    ]
}


def test_healthy_hosts_are_counted_by_cluster() -> None:
    found = proxies.hosts_of_clusters(CLUSTERS)
    assert found[f"outbound|80|v1|{HOST}"] == 2 and found[f"outbound|80|v2|{HOST}"] == 0
    assert proxies.hosts_of_clusters("upstream connect error") == {}


@pytest.mark.parametrize(
    ("subset", "lacks"),
    [("v1", ""), ("v2", "lacks endpoints of cluster outbound|80|v2|"), ("v3", "lacks cluster outbound|80|v3|")],
)
def test_a_proxy_must_have_a_cluster_with_endpoints(subset: str, lacks: str) -> None:
    found = proxies.lacking(proxies.hosts_of_clusters(CLUSTERS), {proxies.cluster(HOST, 80, subset)})
    assert found == ([lacks + HOST] if lacks else [])


def test_a_proxy_that_is_not_to_know_a_host_needs_no_cluster_of_it() -> None:
    other = proxies.cluster("other.shop.svc.cluster.local", 80, "v1")
    assert proxies.lacking(proxies.hosts_of_clusters(CLUSTERS), {other}) == []
    assert proxies.lacking({"xds-grpc": 1}, {other}) == ["lacks any configuration"], "it has only just started"
    assert proxies.lacking({}, set()) == ["lacks any configuration"]


def test_routes_are_found_wherever_envoy_names_a_cluster() -> None:
    routes = proxies.routed(json.dumps(ROUTES))
    assert routes == {f"outbound|80|v1|{HOST}", f"outbound|80|v2|{HOST}"}
    assert proxies.still(routes, HOST, {"v1", "v3"}) == ["still has a route to v1"]
    assert proxies.still(routes, "other", {"v1"}) == proxies.still(routes, HOST, {"v3"}) == []
    assert proxies.routed("{}") == set()
    with pytest.raises(ValueError, match="Expecting value"):
        proxies.routed("no healthy upstream")


def test_only_proxies_that_run_are_asked() -> None:
    gateway, coming, bare, other = (proxy_pod(name) for name in ("gateway", "coming", "bare", "other"))
    gateway["status"] = {"containerStatuses": [{"name": "istio-proxy", "state": {"running": {"startedAt": "now"}}}]}
    coming["status"]["initContainerStatuses"][0]["state"] = {"waiting": {}}
    bare["status"] = {"containerStatuses": [{"name": "web", "state": {"running": {}}}]}
    other["metadata"]["namespace"] = "bar"
    leaving = proxy_pod("leaving", deletionTimestamp="2026-11-28T00:00:00Z")
    found = proxies.running([leaving, gateway, coming, bare, other], {"shop"})
    assert found == [proxies.Proxy("shop", "gateway", False), proxies.Proxy("shop", "leaving", True)]
