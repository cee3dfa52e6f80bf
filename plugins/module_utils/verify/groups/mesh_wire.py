"""A Service of one family is called in that family: the called proxy hands on by its own address of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import service_probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import CLUSTER_IP_SERVICES
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-wire"
# Who the called proxy is to its program (istio: pilot/pkg/networking/core/listener_address.go), as agnhost reports it.
PROXY_SOURCE = {"IPv4": "127.0.0.6:", "IPv6": "[::6]:"}


def plan(scope: Scope) -> Iterator[Probe]:
    """Requests to the Service in the mesh that has this family alone."""
    for family in FAMILIES:
        (name,) = (name for name, (_, families) in CLUSTER_IP_SERVICES.items() if families == (family,))
        like = replace(ANY, contains=(PROXY_SOURCE[family],))
        for node in scope.mesh_nodes():
            title = f"pod in the mesh on {node.name} to {name} in {family} on the wire"
            yield service_probe(ID, family, node, MESH, scope.mesh_service(name), title, like, "/clientip")


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: f"istioctl proxy-config endpoints; {commands.redirection(probe.source)}",
    document=Document(
        source="a pod in the mesh on every worker",
        target="the Service in the mesh that has this family alone",
        passes="the called proxy hands on by its own address of the family (127.0.0.6, ::6), so the family was that "
        "on the wire",
    ),
)
