"""Prometheus, Jaeger and Kiali as objects: in both families, without privileges, by the names of the one table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import observability
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.jaeger import jaeger
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.kiali import kiali
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.prometheus import prometheus

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS

MAKERS = {"prometheus": prometheus, "jaeger": jaeger, "kiali": kiali}


def objects(**changes: Any) -> list[dict[str, Any]]:
    """Everything, with changed settings."""
    return [item for maker in MAKERS.values() for item in maker(SETTINGS | changes)]


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
        (found,) = [item for item in prometheus(SETTINGS | changes) if item["kind"] == "Deployment"]
        return str(found["spec"]["template"]["metadata"]["annotations"][observability.CONFIG_DIGEST])

    assert digest() == digest()
    assert digest() != digest(interval="5s")


@pytest.mark.parametrize("name", MAKERS)
def test_each_is_made_of_what_the_table_says(name: str) -> None:
    made, component = MAKERS[name](SETTINGS), COMPONENTS[name]
    assert {item["metadata"].get("namespace", OBSERVABILITY) for item in made} <= {OBSERVABILITY, "kube-system"}
    (found,) = [item for item in made if item["kind"] == "Deployment"]
    assert found["metadata"]["name"] == component.deployment
    (container,) = found["spec"]["template"]["spec"]["containers"]
    listening = {port["name"]: port["containerPort"] for port in container["ports"]}
    offered = {
        port["name"]: (item["metadata"]["name"], port["port"])
        for item in made
        if item["kind"] == "Service"
        for port in item["spec"]["ports"]
    }
    assert offered == component.services
    assert listening == {name: place.port for name, place in component.services.items()}
