"""Group mesh-strict: plain pods are refused by pods in the mesh."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_strict
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe

from tests.unit.module_utils.verify.groups.two_nodes import BROKEN_OFF, answer, meshed, plain, red, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_mesh


def test_plain_pods_of_both_nodes_call_every_service_in_the_mesh_by_each_address() -> None:
    probes = probes_of(mesh_strict.GROUP, meshed())
    addresses = {
        "IPv4/{}/dual-ipv4-first": "10.96.9.1",
        "IPv4/{}/dual-ipv6-first": "10.96.9.2",
        "IPv4/{}/only-ipv4": "10.96.9.3",
        "IPv6/{}/dual-ipv4-first": "[fd66:96::901]",
        "IPv6/{}/dual-ipv6-first": "[fd66:96::902]",
        "IPv6/{}/only-ipv6": "[fd66:96::904]",
    }
    assert urls(probes) == {
        f"mesh-strict/{name.format(node)}": f"http://{address}:80/hostname"
        for name, address in addresses.items()
        for node in ("cp1", "worker1")
    }
    assert probes_of(mesh_strict.GROUP, plain()) == {}


def test_plain_pods_on_every_node_must_be_refused() -> None:
    probes = probes_of(mesh_strict.GROUP, raw_mesh()).values()
    assert {probe.runner for probe in probes} == {"pod/cp1", "pod/worker1", "pod/worker2"}
    assert all(isinstance(probe.action, Fetch) and probe.action.refused for probe in probes)


def test_an_answer_and_silence_are_red_in_the_family_that_they_are_met_in() -> None:
    def let_in(probe: Probe) -> list[str]:
        return answer("mesh-worker1") if probe.family == "IPv6" else list(BROKEN_OFF)

    probes = probes_of(mesh_strict.GROUP, meshed())
    assert red(probes, lambda _: list(BROKEN_OFF)) == set()
    assert red(probes, let_in) == {name for name in probes if "/IPv6/" in name}
    assert red(probes, lambda _: list(BROKEN_OFF), "10.96.9.3") == {
        "mesh-strict/IPv4/cp1/only-ipv4",
        "mesh-strict/IPv4/worker1/only-ipv4",
    }
