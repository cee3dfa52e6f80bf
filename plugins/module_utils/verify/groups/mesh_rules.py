"""istio-cni made its rules of the family in the pod. Without them the family goes around the proxy, unseen."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, Probe, Redirects
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-rules"


def plan(scope: Scope) -> Iterator[Probe]:
    """A look at the rules in the pod's own network namespace."""
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            title, runner = f"rules in a pod on {node.name} that lead to its proxy", f"{MESH}/{node.name}"
            yield make_probe(ID, family, node.name, "proxy", title, Redirects(family), runner=runner)


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: commands.redirection(probe.source),
    document=Document(
        source="a pod in the mesh on every worker",
        target="its own network namespace",
        passes="the packet filter redirects TCP of the family to the proxy's ports 15001 (out) and 15006 (in)",
    ),
)
