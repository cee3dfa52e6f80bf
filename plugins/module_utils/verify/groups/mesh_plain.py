"""From the mesh, through the caller's proxy, to a Service outside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import service_probe, services_of
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-plain"
# What the caller's own proxy adds to an answer: whoever went around the proxy does not see it.
THROUGH_PROXY = "x-envoy-upstream-service-time"


def plan(scope: Scope) -> Iterator[Probe]:
    """Requests to the Services of pods without a proxy."""
    like = replace(ANY, contains=(THROUGH_PROXY,), headers=True)
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            for name in services_of(family):
                title = f"pod in the mesh on {node.name} through its proxy to plain Service {name}"
                yield service_probe(ID, family, node, MESH, scope.own_service(name), title, like, "/hostname")


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: f"istioctl proxy-config listeners; {commands.redirection(probe.source)}",
    document=Document(
        source="a pod in the mesh on every worker",
        target="the four Services outside it",
        passes="HTTP 200 with the header that the caller's own proxy adds: nothing went around it",
    ),
)
