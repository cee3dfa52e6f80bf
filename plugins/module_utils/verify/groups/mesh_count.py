"""A number of requests of each family to a Service without other clients; mesh-metrics looks for their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.observability import PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import service_probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import COUNTED, COUNTED_SERVICE
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-count"
PATIENT = replace(ANY, patient=True)


def plan(scope: Scope) -> Iterator[Probe]:
    """Requests from the first worker, where there is a Prometheus to count them."""
    if f"{OBSERVABILITY}/{PROMETHEUS.name}" not in scope.cluster.services:
        return
    service = scope.mesh_service(COUNTED_SERVICE)
    for family in FAMILIES:
        for node in scope.mesh_nodes()[:1]:
            for number in range(COUNTED):
                title = f"request {number + 1} of {COUNTED} that are counted"
                probe = service_probe(ID, family, node, MESH, service, title, PATIENT, "/hostname")
                yield replace(probe, id=f"{probe.id}/{number + 1}")


GROUP = Group(
    id=ID,
    part=Part.TELEMETRY,
    turn=Turn.COUNTED,
    plan=plan,
    next_command=lambda probe, _: f"istioctl proxy-config clusters; {commands.redirection(probe.source)}",
    document=Document(
        source="a pod in the mesh on the first worker",
        target="a Service without other clients",
        passes=f"HTTP 200, {COUNTED} times in each family",
    ),
)
