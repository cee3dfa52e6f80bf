"""Who calls whom in the mesh, as Kiali drew it, with the requests of each family that Prometheus counted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES

SECONDS = 120
ENDS = ("source", "destination")


def graph_path(namespaces: Iterable[str]) -> str:
    """Kiali's graph of workloads in these namespaces."""
    listed = ",".join(sorted(namespaces))
    return f"/kiali/api/namespaces/graph?namespaces={listed}&graphType=workload&duration={SECONDS}s"


def rates_path() -> str:
    """Prometheus' answer about requests a second between workloads, by family."""
    labels = ", ".join([f"{end}_{what}" for end in ENDS for what in ("workload", "workload_namespace")] + ["ip_family"])
    query = f'sum by ({labels}) (rate(istio_requests_total{{reporter="source"}}[{SECONDS}s])) > 0'
    return f"/api/v1/query?query={quote(query, safe='')}"


def topology(graph: Mapping[str, Any], rates: Mapping[str, Any]) -> dict[str, Any]:
    """Nodes and edges of a report.

    Nodes: ``name`` (namespace/workload), by name. Edges: ``from``, ``to``, ``mtls`` in percent, and ``rates``: requests
    a second by family. Nodes of the graph that are no workload (unknown callers) bear their kind as their name.
    """
    elements = graph.get("elements") or {}
    names = {node["data"]["id"]: _name(node["data"]) for node in elements.get("nodes") or []}
    counted = _rates(rates)
    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for item in elements.get("edges") or []:
        data = item["data"]
        ends = names.get(data["source"], "unknown"), names.get(data["target"], "unknown")
        edge = {
            "from": ends[0],
            "to": ends[1],
            "mtls": float(data.get("isMTLS") or 0),
            "rates": {family: round(counted.get((*ends, family), 0.0), 2) for family in FAMILIES},
        }
        edges.setdefault(ends, edge)
    used = {name for ends in edges for name in ends}
    return {"nodes": [{"name": name} for name in sorted(used)], "edges": [edges[ends] for ends in sorted(edges)]}


def _name(data: Mapping[str, Any]) -> str:
    what = data.get("workload") or data.get("service") or data.get("nodeType") or "unknown"
    return f"{data['namespace']}/{what}" if data.get("namespace") not in (None, "", "unknown") else str(what)


def _rates(answer: Mapping[str, Any]) -> dict[tuple[str, str, str], float]:
    """Requests a second by (from, to, family)."""
    found: dict[tuple[str, str, str], float] = {}
    for item in (answer.get("data") or {}).get("result") or []:
        labels = item["metric"]
        ends = [f"{labels.get(f'{end}_workload_namespace')}/{labels.get(f'{end}_workload')}" for end in ENDS]
        found[ends[0], ends[1], labels.get("ip_family", "")] = float(item["value"][1])
    return found
