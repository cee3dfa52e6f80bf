"""From the mesh to a host outside the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, OUTSIDE, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY, make_probe, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "mesh-outside"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """A request to the listener outside from every worker."""
    if not scope.mesh_nodes():
        return
    if not (scope.outside and scope.outside.addresses):
        yield Skip(ID, "no listener is given (option outside_addresses)")
        return
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            address = scope.outside.addresses[family]
            title, runner = f"pod in the mesh on {node.name} to a host outside", f"{MESH}/{node.name}"
            action = replace(ANY, url=url(address, scope.outside.port, "/"))
            yield make_probe(ID, family, node.name, OUTSIDE, title, action, runner=runner, address=address)


def next_command(probe: Probe, verdict: Verdict) -> str:
    """The node's route, and what the mesh knows of hosts outside."""
    return f"on {probe.source}: {commands.route(probe)}; kubectl get serviceentries -A"


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=next_command,
    document=Document(source="a pod in the mesh on every worker", target="the outside listener", passes="HTTP 200"),
)
