"""Jaeger has the trace of a request of each family with the spans of both proxies."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.observability import JAEGER
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_id
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import POD_PORT, SERVICE_PORT
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope
from ansible_collections.twinstack.core.plugins.module_utils.verify.telemetry import question

ID = "mesh-trace"
SPANS = (f'"outbound|{SERVICE_PORT}|', f'"inbound|{POD_PORT}|')


def plan(scope: Scope) -> Iterator[Probe]:
    """The trace of mesh-mtls's requests, from every worker."""
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            path = f"/api/traces/{trace_id(scope.run, family, node.name)}"
            title = f"trace of a {family} request from {node.name}, both proxies in it"
            yield from question(scope, ID, family, node.name, title, JAEGER, path, SPANS)


GROUP = Group(
    id=ID,
    part=Part.TELEMETRY,
    turn=Turn.TELEMETRY,
    plan=plan,
    next_command=lambda *_: f"kubectl get telemetries -A; {commands.JAEGER_LOGS}",
    document=Document(
        source="a pod, by Jaeger's address of the family",
        target="Jaeger",
        passes="the trace of a request of the family has the spans of both proxies",
    ),
)
