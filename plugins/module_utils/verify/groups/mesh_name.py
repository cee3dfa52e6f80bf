"""As mesh-mtls, by the Service's name, looked up in the family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import (
    BY_MUTUAL_TLS,
    CERTIFICATE_PATH,
    service_probe,
    services_of,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, Fetch, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import SERVICE_PORT
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-name"


def plan(scope: Scope) -> Iterator[Probe]:
    """Requests to every Service in the mesh that has an address of the family."""
    for family in FAMILIES:
        like = replace(BY_MUTUAL_TLS, family=family)
        for node in scope.mesh_nodes():
            for name in services_of(family):
                service = scope.mesh_service(name)
                title = f"pod in the mesh on {node.name} to {name} by its name, by mutual TLS"
                probe = service_probe(ID, family, node, MESH, service, title, like, CERTIFICATE_PATH)
                full = f"{name}.{service.namespace}.svc.{scope.cluster.domain}"
                if isinstance(probe.action, Fetch):
                    asked = replace(probe.action, url=f"http://{full}:{SERVICE_PORT}{CERTIFICATE_PATH}")
                    probe = replace(probe, action=asked)
                yield probe


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: f"{commands.DNS_PODS}; {commands.redirection(probe.source)}",
    document=Document(
        source="a pod in the mesh on every worker",
        target="the same by their names, looked up in the family",
        passes="as `mesh-mtls`",
    ),
)
