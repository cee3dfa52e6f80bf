"""What tenants run, and what their routes and limits ask for."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads

from tests.unit.plugin_utils.manifests.tenant_samples import BUSY


def made(item: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by name."""
    found = tenant_workloads.objects(item, "ipv6", "twinstack.internal/demo:1", {"limits": {"memory": "128Mi"}})
    return {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] == kind}


def test_every_version_is_a_deployment_that_the_namespace_admits() -> None:
    deployments = made(BUSY, "Deployment")
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
    assert own["readinessProbe"] == {"tcpSocket": {"port": "http"}, "periodSeconds": 5}, "else it is ready too early"
    assert "livenessProbe" not in own, "nothing else is known of a user's own image"
    (demo,) = deployments["shop-v1-1"]["template"]["spec"]["containers"]
    assert demo["readinessProbe"] and demo["livenessProbe"]
    assert {"name": "VERSION", "value": "v1.1"} in demo["env"]


def test_a_users_own_image_says_what_it_needs_as_kubernetes_does() -> None:
    ready = {"httpGet": {"path": "/ready", "port": 9000}, "periodSeconds": 2}
    given: dict[str, Any] = {
        "probes": {"readiness": ready, "startup": {"tcpSocket": {"port": 9000}}},
        "env": [{"name": "PORT", "value": "9001"}, {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a"}}}],
        "resources": {"requests": {"cpu": "100m"}},
    }
    stock = {"name": "stock", "image": "example.org/stock:2", "port": 9000, **given}
    (container,) = made(BUSY | {"services": [stock]}, "Deployment")["stock-v0-0-1"]["template"]["spec"]["containers"]
    assert container["readinessProbe"] == ready and container["startupProbe"] == {"tcpSocket": {"port": 9000}}
    env = [one["name"] for one in container["env"]]
    assert len(env) == len(set(env)) and {"name": "PORT", "value": "9001"} in container["env"]
    assert given["env"][1] in container["env"] and {"name": "VERSION", "value": "v0.0.1"} in container["env"]
    assert container["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "128Mi"}}


def test_pods_that_go_serve_on_until_nobody_sends_to_them_and_have_time_to_end_what_they_began() -> None:
    """A user's own image may have no program that waits; the demo service waits by itself."""
    pods = {name: spec["template"]["spec"] for name, spec in made(BUSY, "Deployment").items()}
    (own,) = pods["stock-v0-0-1"]["containers"]
    assert own["lifecycle"] == {"preStop": {"sleep": {"seconds": tenant_workloads.LINGER_SECONDS}}}
    assert pods["stock-v0-0-1"]["terminationGracePeriodSeconds"] == 30 + tenant_workloads.LINGER_SECONDS
    (demo,) = pods["shop-v1-0"]["containers"]
    assert "lifecycle" not in demo and {"name": "LINGER", "value": "5"} in demo["env"]


def test_every_service_has_both_families_in_the_clusters_order() -> None:
    services = made(BUSY, "Service")
    assert set(services) == {"shop", "stock"}
    for spec in services.values():
        assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("RequireDualStack", ["IPv6", "IPv4"])
        assert spec["ports"][0]["name"] == "http"
    assert services["stock"]["ports"][0]["targetPort"] == 9000


def test_proxies_get_configuration_of_their_own_tenant_and_what_it_reaches() -> None:
    assert made(BUSY, "Sidecar")["default"]["egress"] == [
        {"hosts": ["./*", "istio-system/*", "observability/*", "billing/*"]}
    ]
    (rule,) = made(BUSY, "NetworkPolicy")["reaches"]["egress"]
    assert rule == {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "billing"}}}]}
    assert made({"name": "bar"}, "NetworkPolicy") == {}


def test_a_quota_counts_what_a_change_makes_beside_the_old_pods() -> None:
    assert tenant_workloads.needed(BUSY, gateways=2) == {"pods": 2 * 2 + 2 + 3, "services": 3}
    assert made(BUSY | {"quota": {"pods": 9}}, "ResourceQuota")["tenant"]["hard"] == {"pods": "9", "services": "12"}


def test_all_deployments_are_waited_for() -> None:
    (wait,) = tenant_workloads.names([BUSY, {"name": "bar"}])
    assert (wait["namespace"], wait["names"]) == ("foo", ["shop-v1-0", "shop-v1-1", "stock-v0-0-1"])


def test_every_service_has_releases_and_only_a_routed_one_is_at_the_gateway() -> None:
    shop, stock = tenant_workloads.canaries([BUSY])
    assert shop == {
        "namespace": "foo",
        "service": "shop",
        "versions": ["v1.0", "v1.1"],
        "gateway": "gateway",
        "path": "/shop",
        "hosts": ["*"],
        "headers": ["version", "shopVersion"],
    }
    assert stock == {"namespace": "foo", "service": "stock", "versions": ["v0.0.1"]}


def test_a_limit_is_enforced_at_the_gateway_unless_told_otherwise() -> None:
    shop, stock = tenant_workloads.limits([BUSY, {"name": "bar"}])
    assert (shop["at"], shop["selector"], shop["requests"]) == ("gateway", {"istio": "foo-gateway"}, 20)
    assert (stock["at"], stock["selector"], stock["seconds"]) == ("workload", {"app": "stock"}, 1)
