"""Requests to agents, and why one is not tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Known
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import to_host, to_pod
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

from tests.unit.module_utils.verify.samples import NAMESPACE, sample_cluster

CLUSTER = sample_cluster()


@pytest.mark.parametrize("kind", ["pod", "host"])
def test_an_agent_gets_requests_where_it_listens_or_the_reason_is_reported(kind: str) -> None:
    node, agent = CLUSTER.nodes[0], CLUSTER.agents[f"{kind}/cp1"]

    def asked(running: bool = True, addresses: bool = True) -> tuple[object, str]:
        one = replace(agent, running=running, reason="Pending", addresses=agent.addresses if addresses else {})
        if kind == "pod":
            return to_pod(one, "IPv6", "/x", Fetch("", source=True))
        cluster = replace(CLUSTER, agents={**CLUSTER.agents, agent.runner: one})
        there = node if addresses else replace(node, addresses={})
        return to_host(Scope(cluster, NAMESPACE, 18080, "", None), there, "IPv6", "/x", Fetch("", source=True))

    address, port = ("fd66:244:0:1::4", 8080) if kind == "pod" else ("fd66::11", 18080)
    assert asked() == (Fetch(f"http://[{address}]:{port}/x", source=True), address)
    assert asked(running=False) == (Known(False, f"not tried: {kind}/cp1 does not run: Pending"), address)
    name = "pod pod-cp1" if kind == "pod" else "node cp1"
    assert asked(addresses=False) == (Known(False, f"not tried: {name} has no IPv6 address"), "")
