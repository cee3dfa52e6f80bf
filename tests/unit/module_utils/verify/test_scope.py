"""The scope of a verification: what the groups find in a cluster."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Known, Probe, Service
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, pairs

from tests.unit.module_utils.verify.samples import NAMESPACE, SPACE, raw_cluster, raw_mesh, sample_cluster


def scope(raw: dict[str, Any]) -> Scope:
    return Scope(observe(raw), NAMESPACE, 18080, "", None)


def stopped(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    """The cluster in which these pods wait."""
    for item in raw["pods"]:
        if item["metadata"]["name"] in names:
            item["status"] = {"phase": "Pending"}
    return raw


def probe(runner: str, action: Fetch | Known) -> Probe:
    return Probe("x/IPv6/a/b", "x", "x", "IPv6", "a", "b", runner, action)


def test_a_service_that_is_not_there_says_so_in_its_own_namespace() -> None:
    found = scope(raw_mesh())
    assert found.own_service("only-ipv6").addresses == {"IPv6": "fd66:96::904"}
    assert found.own_service("none") == Service(NAMESPACE, "none", problem="it was not created")
    assert found.mesh_service("only-ipv6").namespace == SPACE
    assert found.mesh_service("none") == Service(SPACE, "none", problem="it was not created")
    assert scope(raw_cluster()).mesh_service("only-ipv6").problem == "it was not created"


def test_behind_the_services_are_running_pods_and_neither_peers_nor_hosts() -> None:
    assert scope(raw_mesh()).backends() == {"pod-cp1", "pod-worker1", "pod-worker2"}
    assert scope(stopped(raw_mesh(), "pod-cp1", "peer-worker1")).backends() == {"pod-worker1", "pod-worker2"}


def test_nodes_with_a_pod_in_the_mesh_count_whether_it_runs_or_not() -> None:
    assert [node.name for node in scope(raw_mesh()).mesh_nodes()] == ["worker1", "worker2"]
    assert [node.name for node in scope(stopped(raw_mesh(), "mesh-worker1")).mesh_nodes()] == ["worker1", "worker2"]
    assert scope(raw_cluster()).mesh_nodes() == []


def test_nobody_is_behind_a_service_only_when_no_pod_runs() -> None:
    names = ["pod-cp1", "pod-worker1", "pod-worker2"]
    assert scope(raw_cluster()).nobody() is None
    assert scope(stopped(raw_cluster(), *names[:2])).nobody() is None
    assert scope(stopped(raw_cluster(), *names)).nobody() == Known(
        False, "not tried: no pod runs behind the Service: Pending"
    )


def test_a_probe_fails_where_its_agent_does_not_run_unless_its_outcome_is_known() -> None:
    found = scope(stopped(raw_cluster(), "pod-cp1"))
    request, known = Fetch("http://[::1]/"), Known(True, "fine")
    assert found.runnable(probe("pod/cp1", request)).action == Known(False, "not tried: pod/cp1 does not run: Pending")
    for same in (probe("pod/cp1", known), probe("pod/worker1", request), probe("outside", request)):
        assert found.runnable(same) is same


def test_pairs_are_ordered_and_of_different_nodes() -> None:
    cluster = sample_cluster()
    found = [(one.name, other.name) for one, other in pairs(cluster)]
    assert len(found) == len(set(found)) == 3 * 2
    assert ("cp1", "worker1") in found and ("worker1", "cp1") in found
    assert not [one for one, other in found if one == other]
