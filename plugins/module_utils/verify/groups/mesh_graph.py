"""Kiali draws the requests between the mesh's pods."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.observability import KIALI
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import mesh_namespace
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope
from ansible_collections.twinstack.core.plugins.module_utils.verify.telemetry import question

ID = "mesh-graph"
GRAPH_SECONDS = 120


def plan(scope: Scope) -> Iterator[Probe]:
    """The graph of the verification's namespace in the mesh, over each family."""
    space = mesh_namespace(scope.namespace)
    path = f"/kiali/api/namespaces/graph?namespaces={space}&graphType=versionedApp&duration={GRAPH_SECONDS}s"
    for family in FAMILIES:
        edges = (f'"version": "{scope.run}"', '"isMTLS": "100"')
        yield from question(scope, ID, family, KIALI.name, "Kiali's graph has the edges", KIALI, path, edges)


GROUP = Group(
    id=ID,
    part=Part.TELEMETRY,
    turn=Turn.TELEMETRY,
    plan=plan,
    next_command=lambda *_: f"kubectl -n {OBSERVABILITY} logs deploy/kiali --tail=20",
    document=Document(
        source="a pod, by Kiali's address of the family",
        target="Kiali",
        passes="its graph has this run's pods, and an edge of nothing but mutual TLS",
    ),
)
