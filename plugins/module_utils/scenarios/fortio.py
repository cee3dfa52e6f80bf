"""fortio as a pod that sends requests to several URLs at once, by its REST API. Pure: objects, paths and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube import paths
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import RESTRICTED

POD = "fortio"
PORT = 8080
LABEL = "twinstack.core/load"
REST = "/fortio/rest"
NOBODY = 65534
MOST_COMPLAINTS = 10
TIMEOUT_SECONDS = 15  # a patient client, which a busy small host does not lose
TRY_SECONDS = 4  # of a few requests, whose answer through the API is not waited for as long
IGNORED_FIELDS = ("ts", "level", "r", "file", "line")
Object = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """What is asked. headers: ``Name: value``; qps: requests a second; connections: how many at once."""

    name: str
    url: str
    headers: tuple[str, ...] = ()
    qps: float = 20.0
    connections: int = 2


@dataclass(frozen=True)
class Result:
    """What came of it. codes: answers by HTTP status, ``-1`` = none came; times in milliseconds."""

    requests: int
    codes: Mapping[str, int]
    seconds: float
    qps: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    def failed(self, accepted: tuple[int, ...]) -> int:
        """How many requests had another answer than these."""
        return sum(count for code, count in self.codes.items() if code not in {str(one) for one in accepted})

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def objects(namespace: str, image: str) -> list[Object]:
    """Namespace and pod. The pod is outside the mesh, like any client, and needs no privileges."""
    container = {
        "name": POD,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["fortio", "server", "-data-dir", "/results", "-config-dir", "/results"],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": f"{REST}/status", "port": PORT}, "periodSeconds": 1},
        "securityContext": RESTRICTED | {"runAsUser": NOBODY},
        "volumeMounts": [{"name": "results", "mountPath": "/results"}],
    }
    labels = {LABEL: "true"}
    space = {LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": space}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "namespace": namespace, "labels": labels},
            "spec": {
                "containers": [container],
                "volumes": [{"name": "results", "emptyDir": {}}],
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
            },
        },
    ]


def proxy(namespace: str) -> str:
    """The path to the pod's own pages through the API server."""
    return paths.proxy("pods", namespace, POD, PORT)


def run_query(target: Target, count: int = 0) -> list[tuple[str, str]]:
    """Query of ``rest/run``. count: how many requests, answered when they are done; 0 = until stopped, at once."""
    query = [
        ("url", target.url),
        ("labels", target.name),
        ("qps", str(target.qps)),
        ("c", str(target.connections)),
        ("timeout", f"{TRY_SECONDS if count else TIMEOUT_SECONDS}s"),
        ("jitter", "on"),
        ("log-errors", "on"),
        # Many short-lived connections, as many clients make them: new ones meet what changes meanwhile.
        ("connection-reuse", "20:40"),
        *(("H", header) for header in target.headers),
    ]
    if count:
        return [*query, ("n", str(count))]
    return [*query, ("t", "on"), ("async", "on"), ("save", "on")]


def complaints(log: str) -> list[str]:
    """What fortio logged about requests that failed, out of its lines of JSON; the last ones."""
    found = []
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("warn", "err") and "dflag" not in line:
            found.append(" ".join(str(value) for name, value in entry.items() if name not in IGNORED_FIELDS))
    return found[-MOST_COMPLAINTS:]


def parse_result(data: Mapping[str, Any]) -> Result:
    """A result of fortio. Raises ValueError when there was no request at all."""
    histogram = data.get("DurationHistogram") or {}
    if not histogram.get("Count"):
        raise ValueError(f"{data.get('RequestedQPS', 'a run')}: no request was sent")
    times = {item["Percentile"]: item["Value"] * 1000 for item in histogram.get("Percentiles") or []}
    return Result(
        requests=int(histogram["Count"]),
        codes={str(code): int(number) for code, number in (data.get("RetCodes") or {}).items()},
        seconds=round(data["ActualDuration"] / 1e9, 1),
        qps=round(float(data["ActualQPS"]), 1),
        p50_ms=round(times.get(50, 0.0), 2),
        p99_ms=round(times.get(99, 0.0), 2),
        max_ms=round(float(histogram.get("Max", 0.0)) * 1000, 2),
    )
