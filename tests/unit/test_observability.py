"""Prometheus, Jaeger and Kiali as objects: in both families, without privileges, with every label that Kiali needs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils import mesh, observability

SETTINGS: dict[str, Any] = {
    "image": "example.org/x:1",
    "primary_family": "ipv4",
    "interval": "15s",
    "retention_time": "7d",
    "retention_size": "4GB",
    "resources": {"limits": {"memory": "1Gi"}},
    "node": "worker1",
    "storage": "/var/lib/twinstack/prometheus",
    "storage_size": "5Gi",
    "max_traces": 100,
    "domain": "cluster.local",
    "istiod": "istiod-blue",
}
MAKERS = (observability.prometheus, observability.jaeger, observability.kiali)


def objects(**changes: Any) -> list[dict[str, Any]]:
    """Everything, with changed settings."""
    return [item for maker in MAKERS for item in maker(SETTINGS | changes)]


@pytest.mark.parametrize(("primary", "expected"), [("ipv4", ["IPv4", "IPv6"]), ("ipv6", ["IPv6", "IPv4"])])
def test_every_service_has_both_families(primary: str, expected: list[str]) -> None:
    services = [item for item in objects(primary_family=primary) if item["kind"] == "Service"]
    assert {item["metadata"]["name"] for item in services} == {
        "prometheus", "jaeger-collector", "jaeger-query", "kiali",
    }  # fmt: skip
    for item in services:
        assert (item["spec"]["ipFamilyPolicy"], item["spec"]["ipFamilies"]) == ("RequireDualStack", expected)
        assert "type" not in item["spec"], "no port on any host"


def test_no_pod_needs_more_than_the_namespace_allows() -> None:
    assert observability.namespace()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = [item["spec"]["template"]["spec"] for item in objects() if item["kind"] == "Deployment"]
    assert len(pods) == 3
    for pod in pods:
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and context["runAsUser"] > 0
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_a_changed_configuration_makes_a_new_pod() -> None:
    def digest(**changes: Any) -> str:
        (found,) = [item for item in observability.prometheus(SETTINGS | changes) if item["kind"] == "Deployment"]
        return str(found["spec"]["template"]["metadata"]["annotations"][observability.CONFIG_DIGEST])

    assert digest() == digest()
    assert digest() != digest(interval="5s")


def relabelled(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str]:
    """Labels after Prometheus' replace rules, whose expressions are anchored."""
    found = dict(labels)
    for rule in rules:
        if rule.get("action", "replace") != "replace":
            continue
        value = ";".join(found.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), value)
        if match:
            found[rule["target_label"]] = match.expand(re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1")))
    return found


def proxies() -> dict[str, Any]:
    """The job that looks at the mesh's proxies."""
    jobs: list[dict[str, Any]] = observability.prometheus_config("15s")["scrape_configs"]
    return next(job for job in jobs if job["job_name"] == "proxies")


@pytest.mark.parametrize(
    ("address", "target"), [("10.244.1.4", "10.244.1.4:15090"), ("fd66:244::4", "[fd66:244::4]:15090")]
)
def test_a_pod_of_either_family_is_a_target(address: str, target: str) -> None:
    found = relabelled(proxies()["relabel_configs"], {"__meta_kubernetes_pod_ip": address})
    assert found["__address__"] == target


def test_requests_get_istios_names_and_keep_their_family() -> None:
    labels = {"__name__": "envoy_istio_requests_total", "dwl": "foo-v1;team;foo;v1;Kubernetes", "ip_family": "IPv6"}
    found = relabelled(proxies()["metric_relabel_configs"], labels)
    assert found["__name__"] == "istio_requests_total"
    assert found["destination_workload"] == "foo-v1"
    assert found["destination_workload_namespace"] == "team"
    assert found["destination_canonical_service"] == "foo"
    assert found["destination_canonical_revision"] == "v1"
    assert found["ip_family"] == "IPv6"


def stored(labels: dict[str, str]) -> dict[str, str]:
    """Labels as Prometheus keeps them of what a proxy tells: it drops those without a value."""
    rules = proxies()["metric_relabel_configs"]
    drops = [rule["regex"] for rule in rules if rule.get("action") == "labeldrop"]
    found = relabelled(rules, labels)
    return {name: value for name, value in found.items() if value and not any(re.fullmatch(one, name) for one in drops)}


@pytest.mark.parametrize(
    ("given", "packed"),
    [
        (mesh.SOURCE_LABELS, {"dwl": "there;ns;svc;v1;Kubernetes"}),
        (mesh.DESTINATION_LABELS, {}),
    ],
)
def test_kiali_finds_every_label_that_it_asks_for(given: dict[str, str], packed: dict[str, str]) -> None:
    """Kiali refuses a graph whose series lack one of these (its own list of required telemetry labels)."""
    assert packed.keys() <= given.keys()
    made = stored(dict.fromkeys(given, "x") | packed)
    labels = ("workload", "workload_namespace", "canonical_service", "canonical_revision", "principal", "cluster")
    wanted = {f"{side}_{label}" for side in ("source", "destination") for label in labels}
    wanted |= {"destination_service", "destination_service_name", "destination_service_namespace"}
    wanted |= {"request_protocol", "response_code", "response_flags", "connection_security_policy", "reporter"}
    assert wanted - made.keys() == set()
    assert not packed.keys() & made.keys()
    for text in packed.values():
        assert [made[f"destination_{label}"] for label in labels[:4]] == text.split(";")[:4]


def test_both_sides_of_a_request_are_kept_with_the_same_labels() -> None:
    source = stored(dict.fromkeys(mesh.SOURCE_LABELS, "x") | {"dwl": "a;b;c;d;e"})
    destination = stored(dict.fromkeys(mesh.DESTINATION_LABELS, "x"))
    assert source.keys() == destination.keys()


def test_kiali_asks_the_control_plane_that_it_was_told() -> None:
    (config,) = [item for item in observability.kiali(SETTINGS) if item["kind"] == "ConfigMap"]
    istio = yaml.safe_load(config["data"]["config.yaml"])["external_services"]["istio"]
    assert (istio["istiod_deployment_name"], istio["config_map_name"]) == ("istiod-blue", "istio-blue")


def test_rules_are_whole() -> None:
    (group,) = observability.prometheus_rules()["groups"]
    for rule in group["rules"]:
        assert rule["expr"]
        assert ("record" in rule) != ("alert" in rule and bool(rule["annotations"]["summary"]))
