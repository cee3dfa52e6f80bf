"""Group mesh-gateway: into the mesh by the gateway's port on every node."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_gateway
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, meshed, plain, red, urls
from tests.unit.module_utils.verify.samples import SPACE, probes_of, raw_mesh

BETWEEN_HOSTS = {
    "mesh-gateway/IPv4/cp1/worker1": "http://10.66.0.12:31080/hostname",
    "mesh-gateway/IPv4/worker1/cp1": "http://10.66.0.11:31080/hostname",
    "mesh-gateway/IPv6/cp1/worker1": "http://[fd66::12]:31080/hostname",
    "mesh-gateway/IPv6/worker1/cp1": "http://[fd66::11]:31080/hostname",
}
FROM_OUTSIDE = {
    "mesh-gateway/IPv4/outside/cp1": "http://10.66.0.11:31080/hostname",
    "mesh-gateway/IPv4/outside/worker1": "http://10.66.0.12:31080/hostname",
    "mesh-gateway/IPv6/outside/cp1": "http://[fd66::11]:31080/hostname",
    "mesh-gateway/IPv6/outside/worker1": "http://[fd66::12]:31080/hostname",
}


def test_every_node_is_tried_in_both_families_from_outside_and_from_the_other_host() -> None:
    probes = probes_of(mesh_gateway.GROUP, meshed())
    assert urls(probes) == FROM_OUTSIDE | BETWEEN_HOSTS
    assert {probe.runner for probe in probes.values()} == {"outside", "host/cp1", "host/worker1"}
    assert urls(probes_of(mesh_gateway.GROUP, meshed(), outside=None)) == BETWEEN_HOSTS
    assert probes_of(mesh_gateway.GROUP, plain()) == {}


def test_the_gateway_leads_to_pods_in_the_mesh_and_to_no_others() -> None:
    for probe in probes_of(mesh_gateway.GROUP, raw_mesh()).values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.bodies == {"mesh-worker1", "mesh-worker2"}


def test_silence_is_red_in_its_family_and_an_answer_from_elsewhere_everywhere() -> None:
    probes = probes_of(mesh_gateway.GROUP, meshed())
    assert red(probes, lambda _: answer("mesh-worker1")) == set()
    assert red(probes, lambda _: answer("mesh-worker1"), "fd66::11") == {
        "mesh-gateway/IPv6/outside/cp1",
        "mesh-gateway/IPv6/worker1/cp1",
    }
    assert red(probes, lambda _: answer("pod-worker1")) == set(probes), "a pod outside the mesh"


def test_why_the_gateway_is_not_tried() -> None:
    raw = meshed()
    for item in raw["pods"]:
        if item["metadata"]["namespace"] == SPACE:
            item["status"] = {"phase": "Pending"}
    found = failed(probes_of(mesh_gateway.GROUP, raw))
    assert set(found) == set(FROM_OUTSIDE | BETWEEN_HOSTS)
    assert set(found.values()) == {"not tried: the gateway: no pod in the mesh runs"}
    raw = meshed()
    raw["services"] = [item for item in raw["services"] if item["metadata"]["name"] != "gateway"]
    found = failed(probes_of(mesh_gateway.GROUP, raw))
    assert set(found.values()) == {"not tried: the gateway: it was not created"}
    raw = meshed()
    del raw["nodes"][0]["status"]["addresses"][0]
    assert set(failed(probes_of(mesh_gateway.GROUP, raw))) == {
        "mesh-gateway/IPv4/outside/cp1",
        "mesh-gateway/IPv4/worker1/cp1",
    }
