"""Load on what is limited: fortio's arguments, and the results from its answers."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.load import LoadScenarios
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import ScenarioError, Settings

from tests.unit.module_utils.scenarios.samples import KNOWN, NODES, TENANTS

(SCENARIO,) = [item for item in KNOWN if item.get("kind") == "load"]


class Cluster:
    """Plays fortio's pod and the Deployments. replicas: None = there are none."""

    def __init__(self, replicas: int | None) -> None:
        self.replicas = replicas
        self.commands: list[list[str]] = []

    def execute(self, where: tuple[str, str, str], command: list[str], text: str, seconds: float) -> str:
        """One accepted and one refused request."""
        assert where == ("twinstack-demo", "fortio", "fortio")
        self.commands.append(command)
        lines = [{"latency": 0.01, "timestamp": 1795620285 * 10**9, "details": code} for code in ("200", "429")]
        return "".join(json.dumps(line) + "\n" for line in lines)

    def get(self, key: Key) -> dict[str, Any] | None:
        """A Deployment."""
        return None if self.replicas is None else {"spec": {"replicas": self.replicas}}


def loads(cluster: Cluster) -> LoadScenarios:
    """What sends load into a played cluster."""
    settings = Settings(TENANTS, NODES, "", "", (), {}, 5, 5)
    client = cast("Client", cluster)
    return LoadScenarios(settings, client, RequestSender(settings, client))


def test_every_limit_is_met_over_both_families_and_counted() -> None:
    cluster = Cluster(2)
    load = loads(cluster)
    results = {result.family: result for result in load.run(SCENARIO)}
    assert results.keys() == {"IPv4", "IPv6", "both"}
    assert len(cluster.commands) == 2 * len(SCENARIO["loads"])
    asked = sorted(command[-1].partition("//")[2].partition(":30080")[0] for command in cluster.commands)
    assert set(asked) == {"192.0.2.1", "[2001:db8::1]"}
    for result in results.values():
        assert len(result.steps) == len(SCENARIO["loads"])
    assert all(step["ok"] for step in results["IPv4"].steps), "some accepted, some refused, none other"
    per_tenant = [str(one["tenant"]) for one in SCENARIO["loads"]]
    assert load.sender.sent == {
        (tenant, family): 2 * per_tenant.count(tenant) for tenant in per_tenant for family in ("IPv4", "IPv6")
    }
    assert results["both"].steps[0]["load"]["buckets"] == 2


def test_a_limit_without_its_deployment_cannot_be_judged() -> None:
    with pytest.raises(ScenarioError, match="found no such Deployment"):
        loads(Cluster(None)).run(SCENARIO)
