"""What Prometheus, Jaeger and Kiali saw, played by pages behind an API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.observability import JAEGER, KIALI, PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import telemetry_checks
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import Settings

from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.scenarios.samples import KNOWN, NODES, TENANTS

(SCENARIO,) = [item for item in KNOWN if item.get("kind") == "telemetry"]


def root(service: tuple[str, int]) -> str:
    """Where a Service's pages begin."""
    return f"/api/v1/namespaces/{OBSERVABILITY}/services/{service[0]}:{service[1]}/proxy"


class Telemetry:
    """Plays all three. counted: what Prometheus answers; traced: services that Jaeger knows, None = no such trace."""

    def __init__(self) -> None:
        self.counted: float = 5
        self.traced: list[str] | None = None

    def prometheus(self, path: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        """One series for each query."""
        assert path == "/api/v1/query" and query[0][1].startswith("istio_requests_total{")
        return 200, {"data": {"result": [{"metric": {}, "value": [0, str(self.counted)]}]}}

    def jaeger(self, path: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        """As Jaeger does, a trace that it does not have is an answer of its own with a status of no success."""
        if self.traced is None:
            return 404, {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}
        spans = [
            {"processID": name, "operationName": "o", "startTime": 1000, "duration": 10}
            for name in self.traced
            for _ in range(2)
        ]
        return 200, {"data": [{"processes": {name: {"serviceName": name} for name in self.traced}, "spans": spans}]}

    def kiali(self, path: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        """A graph with all expected edges."""
        names = sorted({name for edge in SCENARIO["edges"] for name in edge})
        nodes = [{"data": dict(zip(("app", "version"), [*n.split(" "), ""], strict=False), id=n)} for n in names]
        edges = [{"data": {"source": one, "target": other, "isMTLS": "100"}} for one, other in SCENARIO["edges"]]
        return 200, {"elements": {"nodes": nodes, "edges": edges}}


@pytest.fixture
def watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Telemetry, telemetry_checks.TelemetryScenarios]]:
    """What plays, and who looks at it without patience."""
    monkeypatch.setattr(telemetry_checks, "TELEMETRY_SECONDS", 0)
    player = Telemetry()
    with api_server(tmp_path) as (state, config):
        play(state, player)
        settings = Settings(TENANTS, NODES, "", "", (), {}, 5, 5)
        client = Client(str(config), None, "test", retries=True)
        known = {str(item["id"]): item for item in KNOWN}
        yield (
            player,
            telemetry_checks.TelemetryScenarios(settings, client, RequestSender(settings, client), known, "cafe"),
        )


def play(state: State, player: Telemetry) -> None:
    """Put the pages behind the API server."""
    state.pages[root(PROMETHEUS)] = player.prometheus
    state.pages[root(JAEGER)] = player.jaeger
    state.pages[root(KIALI)] = player.kiali


def test_all_that_was_sent_has_telemetry(watched: tuple[Telemetry, telemetry_checks.TelemetryScenarios]) -> None:
    player, watcher = watched
    watcher.count()
    for family in ("IPv4", "IPv6"):
        watcher.sender.count(SCENARIO["tenant"], family, 3)
    player.counted, player.traced = 8, list(SCENARIO["chain"])
    results = watcher.run(SCENARIO)
    assert [result.family for result in results] == ["IPv4", "IPv6", "both"]
    assert [step["detail"] for result in results for step in result.steps if not step["ok"]] == []
    assert results[0].more["trace"]


def test_what_is_missing_is_reported_step_by_step(
    watched: tuple[Telemetry, telemetry_checks.TelemetryScenarios],
) -> None:
    player, watcher = watched
    watcher.count()
    watcher.sender.count(SCENARIO["tenant"], "IPv4", 3)
    player.counted = 7
    four, six, both = watcher.run(SCENARIO)
    count, trace = four.steps
    assert count["detail"] == "2 counted, expected at least the 3 that were sent"
    assert trace["detail"].startswith("0 spans of nobody; found only 0 of "), "not that Jaeger gave no answer"
    assert not six.steps[0]["ok"] and both.steps[0]["ok"]


def test_a_count_that_was_never_begun_is_reported(
    watched: tuple[Telemetry, telemetry_checks.TelemetryScenarios],
) -> None:
    (step, *_) = watched[1].run(SCENARIO)[0].steps
    assert "found no answer of Prometheus before the first request" in step["detail"]
