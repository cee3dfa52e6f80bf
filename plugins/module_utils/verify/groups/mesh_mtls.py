"""From proxy to proxy by mutual TLS: the called side saw the caller's certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_headers
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import (
    BY_MUTUAL_TLS,
    CERTIFICATE_PATH,
    service_probe,
    services_of,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-mtls"


def plan(scope: Scope) -> Iterator[Probe]:
    """Traced requests to every Service in the mesh."""
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            traced = replace(BY_MUTUAL_TLS, send=trace_headers(scope.run, family, node.name))
            for name in services_of(family):
                title = f"pod in the mesh on {node.name} to {name} by mutual TLS"
                service = scope.mesh_service(name)
                yield service_probe(ID, family, node, MESH, service, title, traced, CERTIFICATE_PATH)


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: f"istioctl proxy-config listeners; {commands.redirection(probe.source)}",
    traffic=True,
    document=Document(
        source="a pod in the mesh on every worker",
        target="the four Services in the mesh",
        passes="the called pod was shown the caller's certificate (`X-Forwarded-Client-Cert`)",
    ),
)
