"""What planning needs of a cluster: the scope of one verification. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    MESH,
    POD,
    Agent,
    Cluster,
    Known,
    Node,
    Outside,
    Probe,
    Service,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import mesh_namespace


@dataclass(frozen=True)
class Skip:
    """A group, or a part of one, that was not probed."""

    group: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """All probes, in the order of the report."""

    probes: tuple[Probe, ...]
    skipped: tuple[Skip, ...]


@dataclass(frozen=True)
class Scope:
    """What the groups need. proxy_mode: the mode that must be in force, empty = nothing to compare with.

    run: what makes this verification's traces its own; empty = none are recorded.
    """

    cluster: Cluster
    namespace: str
    host_port: int
    proxy_mode: str
    outside: Outside | None
    run: str = ""

    def agent(self, kind: str, node: str) -> Agent:
        """The agent of a kind on a node, running or not."""
        return self.cluster.agents[f"{kind}/{node}"]

    def own_service(self, name: str) -> Service:
        """One of the verification's Services."""
        missing = Service(self.namespace, name, problem="it was not created")
        return self.cluster.services.get(f"{self.namespace}/{name}", missing)

    def backends(self) -> frozenset[str]:
        """Names of the running pods behind the verification's Services."""
        return frozenset(agent.name for agent in self.cluster.agents.values() if agent.kind == POD and agent.running)

    def mesh_service(self, name: str) -> Service:
        """One of the Services with pods in the mesh behind them."""
        space = mesh_namespace(self.namespace)
        return self.cluster.services.get(f"{space}/{name}", Service(space, name, problem="it was not created"))

    def mesh_nodes(self) -> list[Node]:
        """Nodes with a pod in the mesh, running or not."""
        return [node for node in self.cluster.nodes if f"{MESH}/{node.name}" in self.cluster.agents]

    def nobody(self) -> Known | None:
        """The failure of every request to a Service while no pod runs behind it; None when one does."""
        pods = [agent for agent in self.cluster.agents.values() if agent.kind == POD]
        if not pods or any(agent.running for agent in pods):
            return None
        return Known(False, f"not tried: no pod runs behind the Service: {pods[0].reason}")

    def runnable(self, probe: Probe) -> Probe:
        """The probe, or the same one failed because the agent that should run it does not."""
        agent = self.cluster.agents.get(probe.runner)
        if agent is None or agent.running or isinstance(probe.action, Known):
            return probe
        return replace(probe, action=Known(False, f"not tried: {agent.runner} does not run: {agent.reason}"))


def pairs(cluster: Cluster) -> Iterator[tuple[Node, Node]]:
    """Every ordered pair of different nodes."""
    return ((one, other) for one in cluster.nodes for other in cluster.nodes if one is not other)
