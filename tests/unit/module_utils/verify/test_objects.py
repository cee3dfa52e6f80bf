"""What the verification creates."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import objects

FAMILIES = ["IPv4", "IPv6"]


def spec_of(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = (item["spec"] for item in items if item["metadata"]["name"] == name)
    return dict(found)


@pytest.mark.parametrize("mesh", [False, True])
def test_services_ask_for_every_combination_of_families(mesh: bool) -> None:
    items = objects.mesh_services() if mesh else objects.services()
    wanted = {
        "dual-ipv4-first": ("RequireDualStack", FAMILIES),
        "dual-ipv6-first": ("RequireDualStack", FAMILIES[::-1]),
        "only-ipv4": ("SingleStack", ["IPv4"]),
        "only-ipv6": ("SingleStack", ["IPv6"]),
    }
    for name, families in wanted.items():
        spec = spec_of(items, name)
        assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == families
        assert spec["selector"] == {objects.LABEL: "mesh" if mesh else "pod"}


def test_the_other_services_have_both_families() -> None:
    assert spec_of(objects.services(), "node-port")["type"] == "NodePort"
    assert spec_of(objects.services(), "headless")["clusterIP"] == "None"
    gateway = spec_of(objects.mesh_services(), "gateway")
    assert gateway["type"] == "NodePort"
    assert gateway["selector"] == objects.gateway_deployment()["spec"]["template"]["metadata"]["labels"]
    assert gateway["ports"][0]["targetPort"] >= 1024, "the gateway has no privilege"
    for name, items in (
        ("node-port", objects.services()),
        ("headless", objects.services()),
        ("counted", objects.mesh_services()),
        ("gateway", objects.mesh_services()),
    ):
        assert spec_of(items, name)["ipFamilies"] == FAMILIES


def test_both_namespaces_bear_the_label_by_which_they_are_removed() -> None:
    plain, mesh = objects.namespace("own"), objects.mesh_namespace_object("own", "stable")
    assert (plain["metadata"]["name"], mesh["metadata"]["name"]) == ("own", "own-mesh")
    for item in (plain, mesh):
        assert item["metadata"]["labels"][objects.LABEL] == "true"
        assert item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert mesh["metadata"]["labels"]["istio.io/rev"] == "stable"
    assert "istio.io/rev" not in plain["metadata"]["labels"]


def test_agents_run_on_every_node_and_become_ready_however_broken_the_network_is() -> None:
    found = {item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in objects.daemon_sets("image", 18080)}
    assert set(found) == {"pod", "peer", "host"}
    for kind, spec in found.items():
        (container,) = spec["containers"]
        assert not [key for key in container if key.endswith("Probe")]
        assert spec["tolerations"] == [{"operator": "Exists"}]
        assert spec["hostNetwork"] is (kind == "host")
        assert f"--http-port={18080 if kind == 'host' else 8080}" in container["args"]
    assert found["host"]["dnsPolicy"] == "Default"


def test_pods_in_the_mesh_are_on_workers_and_bear_the_verifications_own_version() -> None:
    (item,) = objects.mesh_workloads("image", "cafe0001")
    template = item["spec"]["template"]
    assert template["metadata"]["labels"]["version"] == "cafe0001"
    assert item["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    affinity = template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = affinity["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": objects.CONTROL_PLANE_LABEL, "operator": "DoesNotExist"}]
    assert template["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]
    (plain, *_) = objects.daemon_sets("image", 18080)
    assert "securityContext" not in plain["spec"]["template"]["spec"]["containers"][0]


def test_what_arrives_at_the_gateway_goes_to_a_service_in_the_mesh() -> None:
    routes = dict(objects.gateway_routes())
    (server,) = routes["gateways"]["spec"]["servers"]
    assert server["port"]["number"] == objects.mesh_services()[-1]["spec"]["ports"][0]["port"]
    assert routes["gateways"]["spec"]["selector"] == {objects.LABEL: "gateway"}
    virtual = routes["virtualservices"]["spec"]
    assert virtual["gateways"] == [routes["gateways"]["metadata"]["name"]]
    destination = virtual["http"][0]["route"][0]["destination"]
    spec = spec_of(objects.mesh_services(), destination["host"])
    assert spec["ports"][0]["port"] == destination["port"]["number"]
    assert spec["ipFamilies"] == FAMILIES
