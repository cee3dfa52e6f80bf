"""What others saw of the requests: traces, graphs and counts."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.scenarios import telemetry


def test_a_trace_has_spans_of_every_service() -> None:
    def span(process: str, start: int) -> dict[str, Any]:
        return {"processID": process, "operationName": "op", "startTime": start, "duration": 1500}

    answer = {
        "data": [
            {
                "processes": {"p1": {"serviceName": "gateway.foo"}, "p2": {"serviceName": "client.foo"}},
                "spans": [span("p2", 3000), span("p1", 1000)],
            }
        ]
    }
    spans = telemetry.spans(answer)
    assert [(one["service"], one["start"], one["milliseconds"]) for one in spans] == [
        ("gateway.foo", 0.0, 1.5),
        ("client.foo", 2.0, 1.5),
    ]
    assert telemetry.judge_trace(spans, ["gateway", "client"])[0]
    ok, detail = telemetry.judge_trace(spans, ["gateway", "client", "provider"])
    assert not ok and detail.endswith("found only 1 of 2 of client, 0 of 1 of provider"), "a call on has two spans"
    assert telemetry.spans({"data": []}) == []


def test_a_graph_has_the_edges_between_versions() -> None:
    nodes = [("1", "client", "v1"), ("2", "provider", "v1"), ("3", "provider", "")]
    graph = {
        "elements": {
            "nodes": [{"data": {"id": name, "app": app, "version": version}} for name, app, version in nodes],
            "edges": [{"data": {"source": "1", "target": "2", "isMTLS": "100"}}],
        }
    }
    assert telemetry.judge_graph(graph, [["client", "provider"], ["client v1", "provider v1"]])[0]
    ok, detail = telemetry.judge_graph(graph, [["client v2", "provider"]])
    assert not ok and "client v2 → provider" in detail
    graph["elements"]["edges"] = [{"data": {"source": "1", "target": "2"}}]
    assert not telemetry.judge_graph(graph, [["client", "provider"]])[0], "in plain text it does not count"


def test_what_came_in_between_is_counted_series_by_series() -> None:
    def answer(**values: float) -> dict[str, Any]:
        items = [{"metric": {"instance": name}, "value": [0, str(value)]} for name, value in values.items()]
        return {"data": {"result": items}}

    before = telemetry.counts(answer(stays=100, went=90, again=70))
    now = telemetry.counts(answer(stays=130, again=5, new=7))
    assert telemetry.risen(before, now) == 30 + 5 + 7
    assert telemetry.risen({}, now) == 142


def test_fewer_counted_than_sent_is_reported() -> None:
    assert telemetry.judge_count(40, 40)[0] and telemetry.judge_count(41, 40)[0]
    assert not telemetry.judge_count(39, 40)[0]
    assert not telemetry.judge_count(0, 0)[0], "nothing sent shows nothing"
