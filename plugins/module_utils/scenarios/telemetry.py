"""Telemetry that Prometheus, Jaeger and Kiali must have of scenarios. Pure: queries, answers, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GRAPH_SECONDS = 300

Json = Mapping[str, Any]
Counts = dict[tuple[tuple[str, str], ...], float]  # how far each series has counted, by its labels


def requests_query(tenant: str, family: str) -> str:
    """Requests over a family that a tenant's gateway has passed on or answered itself, since its proxies began."""
    labels = f'reporter="source",source_workload="gateway",source_workload_namespace="{tenant}",ip_family="{family}"'
    return f"istio_requests_total{{{labels}}}"


def counts(answer: Json) -> Counts:
    """How far every series in an answer of Prometheus has counted."""
    return {tuple(sorted(item["metric"].items())): float(item["value"][1]) for item in answer["data"]["result"]}


def risen(before: Counts, now: Counts) -> float:
    """What was counted in between, series by series: a new one, and one that began again, counts whole.

    One that is gone counts for nothing. Prometheus shows those of pods that went while it did not run for five minutes
    more, so a sum would fall when they go.
    """
    return sum(value - before.get(key, 0.0) if value >= before.get(key, 0.0) else value for key, value in now.items())


def judge_count(counted: float, sent: int) -> tuple[bool, str]:
    """Whether at least as many requests were counted as were sent; others may have come meanwhile."""
    return counted >= sent > 0, f"{counted:.0f} counted, expected at least the {sent} that were sent"


def spans(answer: Json) -> list[dict[str, Any]]:
    """Spans of the one trace in Jaeger's answer: ``service``, ``name``, ``start`` (ms since the first), length."""
    traces = answer.get("data") or []
    if not traces:
        return []
    processes = traces[0]["processes"]
    found = [
        {
            "service": str(processes[span["processID"]]["serviceName"]),
            "name": str(span["operationName"]),
            "start": span["startTime"] / 1000,
            "milliseconds": round(span["duration"] / 1000, 2),
        }
        for span in traces[0]["spans"]
    ]
    first = min(span["start"] for span in found)
    return sorted(
        ({**span, "start": round(span["start"] - first, 2)} for span in found), key=lambda span: span["start"]
    )


def judge_trace(found: Sequence[Json], chain: Sequence[str]) -> tuple[bool, str]:
    """Whether every service of a chain has sent its spans: who calls on has one of the call to it and one of its own.

    Envoy names its service ``workload.namespace``.
    """
    names = [str(span["service"]) for span in found]
    lacking = []
    for place, name in enumerate(chain):
        wanted = 2 if 0 < place < len(chain) - 1 else 1
        have = sum(1 for service in names if service.partition(".")[0].startswith(name))
        if have < wanted:
            lacking.append(f"{have} of {wanted} of {name}")
    told = f"{len(found)} spans of {', '.join(sorted(set(names))) or 'nobody'}"
    return not lacking, told + (f"; found only {', '.join(lacking)}" if lacking else "")


def graph_path(tenant: str) -> str:
    """Kiali's graph of a tenant, with a node for each version."""
    return f"/kiali/api/namespaces/graph?namespaces={tenant}&graphType=versionedApp&duration={GRAPH_SECONDS}s"


def judge_graph(graph: Json, edges: Sequence[Sequence[str]]) -> tuple[bool, str]:
    """Whether a graph has the edges, by mutual TLS. edges: caller and called, each an app or ``app version``."""
    elements = graph.get("elements") or {}
    names = {
        node["data"][
            "id"
        ]: f"{node['data'].get('app', node['data'].get('service', ''))} {node['data'].get('version', '')}"
        for node in elements.get("nodes") or []
    }
    found: dict[tuple[str, str], bool] = {}
    for edge in elements.get("edges") or []:
        data = edge["data"]
        ends = names.get(data["source"], ""), names.get(data["target"], "")
        # Percent of the requests; absent when there is none (Kiali: graph/config/cytoscape, EdgeData.IsMTLS).
        found[ends] = found.get(ends, False) or float(data.get("isMTLS") or 0) > 0

    def there(caller: str, called: str) -> bool:
        return any(_is(one, caller) and _is(other, called) for (one, other), secured in found.items() if secured)

    lacking = [f"{caller} → {called} by mutual TLS" for caller, called in edges if not there(caller, called)]
    told = f"{len(found)} edges"
    return not lacking, told + (f"; expected {', '.join(lacking)} too" if lacking else "")


def _is(name: str, wanted: str) -> bool:
    return name.strip() == wanted or name.partition(" ")[0] == wanted
