"""Jaeger takes spans by OTLP over each family; which one a proxy sends its own by is the proxy's choice."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.observability import COLLECTOR
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope
from ansible_collections.twinstack.core.plugins.module_utils.verify.telemetry import question

ID = "mesh-collector"
# OpenTelemetry: opentelemetry/proto/collector/trace/v1/trace_service.proto
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def plan(scope: Scope) -> Iterator[Probe]:
    """An empty message of spans to the collector."""
    for family in FAMILIES:
        title = f"Jaeger takes spans by OTLP over {family}"
        yield from question(scope, ID, family, COLLECTOR.name, title, COLLECTOR, EXPORT, ("grpc-status: 0",))


GROUP = Group(
    id=ID,
    part=Part.TELEMETRY,
    turn=Turn.TELEMETRY,
    plan=plan,
    next_command=lambda *_: f"kubectl -n {OBSERVABILITY} get service {COLLECTOR.name} -o yaml; {commands.JAEGER_LOGS}",
    document=Document(
        source="a pod, by the collector's address of the family",
        target="Jaeger",
        passes="it takes spans by OTLP (gRPC)",
    ),
)
