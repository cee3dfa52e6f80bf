"""Group mesh-outside: from the mesh to a host outside the cluster."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Outside, Verdict

from tests.unit.module_utils.verify.groups.two_nodes import answer, meshed, plain, red, skips, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_mesh


def test_the_pod_on_the_worker_calls_the_listener_by_each_of_its_addresses() -> None:
    probes = probes_of(mesh_outside.GROUP, meshed())
    assert urls(probes) == {
        "mesh-outside/IPv4/worker1/outside": "http://10.66.0.1:40000/",
        "mesh-outside/IPv6/worker1/outside": "http://[fd66::1]:40000/",
    }
    assert {probe.runner for probe in probes.values()} == {"mesh/worker1"}


def test_a_host_outside_gets_requests_from_the_mesh() -> None:
    action = probes_of(mesh_outside.GROUP, raw_mesh())["mesh-outside/IPv6/worker1/outside"].action
    assert action == Fetch("http://[fd66::1]:40000/")


def test_without_a_listener_it_is_skipped_and_without_a_mesh_nothing_is_said() -> None:
    for outside in (None, Outside()):
        assert probes_of(mesh_outside.GROUP, meshed(), outside=outside) == {}
        assert skips(mesh_outside.GROUP, meshed(), outside=outside) == [
            "no listener is given (option outside_addresses)"
        ]
        assert skips(mesh_outside.GROUP, plain(), outside=outside) == []
    assert probes_of(mesh_outside.GROUP, plain()) == {}


def test_an_address_outside_that_does_not_answer_is_red_in_its_family_alone() -> None:
    probes = probes_of(mesh_outside.GROUP, meshed())
    assert red(probes, lambda _: answer("x")) == set()
    assert red(probes, lambda _: answer("x"), "fd66::1") == {"mesh-outside/IPv6/worker1/outside"}
    assert red(probes, lambda _: answer("x", 502)) == set(probes), "the proxy's own answer"
    command = mesh_outside.GROUP.next_command(probes["mesh-outside/IPv6/worker1/outside"], Verdict(False, "x"))
    assert command.startswith("on worker1: ip -6 route get fd66::1")
