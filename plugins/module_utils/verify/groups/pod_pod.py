"""From a pod on every node to a pod on every node; on the same node to a second pod there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import PEER, POD, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY, make_probe, to_pod
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "pod-pod"


def plan(scope: Scope) -> Iterator[Probe]:
    """Every pod answers with its own name."""
    for family in FAMILIES:
        for one in scope.cluster.nodes:
            for other in scope.cluster.nodes:
                agent = scope.agent(PEER if one is other else POD, other.name)
                action, address = to_pod(agent, family, "/hostname", replace(ANY, bodies=frozenset({agent.name})))
                where = f"to another pod on {one.name}" if one is other else f"to pod on {other.name}"
                title, runner = f"pod on {one.name} {where}", f"{POD}/{one.name}"
                yield make_probe(ID, family, one.name, other.name, title, action, runner=runner, address=address)


def next_command(probe: Probe, verdict: Verdict) -> str:
    """Both nodes must forward, and have routes to each other's pods."""
    return f"on {probe.source} and {probe.target}: {commands.forwarding(probe)}; ip -{probe.family[-1]} route"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="a pod on every node",
        target="a pod on every node, on the same node the second pod",
        passes="that very pod answers with its name",
    ),
)
