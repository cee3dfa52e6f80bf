"""The verification's words: what a cluster says of itself."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Agent
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe

from tests.unit.module_utils.verify.samples import raw_cluster, sample_cluster


def test_the_first_family_is_that_of_the_apis_own_service() -> None:
    raw = raw_cluster()
    assert observe(raw).primary_family == "IPv4"
    raw["services"][0]["spec"]["clusterIPs"] = ["fd66:96::1"]
    assert observe(raw).primary_family == "IPv6"
    raw["services"][0]["spec"]["clusterIPs"] = ["fd66:96::1", "10.96.0.1"]
    assert observe(raw).primary_family == "IPv6", "the first of both"
    raw["services"][0]["spec"]["clusterIPs"] = []
    assert observe(raw).primary_family == "IPv4"


def test_the_control_plane_is_all_nodes_that_carry_the_api() -> None:
    cluster = sample_cluster()
    assert [node.name for node in cluster.control_plane] == ["cp1"]
    every = tuple(replace(node, control_plane=True) for node in cluster.nodes)
    assert replace(cluster, nodes=every).control_plane == every


def test_batches_reach_an_agent_by_its_kind_and_node() -> None:
    agent = Agent("mesh", "worker1", "mesh-abcde", {}, True)
    assert agent.runner == "mesh/worker1"
    for name, found in sample_cluster().agents.items():
        assert found.runner == name
