"""Scenarios in the report: what went otherwise, and their pictures."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.action import report as report_action
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model
from ansible_collections.twinstack.core.plugins.plugin_utils.report import page as report_page
from ansible_collections.twinstack.core.plugins.plugin_utils.report import scenario_pictures


def result(name: str, family: str, **more: Any) -> dict[str, Any]:
    """A result as the module returns it."""
    found = model.Result(name, family, f"title <{name}>")
    step: Any = {"tenant": "foo", "place": "outside", "hops": [{"who": "foo v0.0.2", "pod": "p", "caller": {}}]}
    found.add("outside → gateway → foo with version: v0-0-2", more.pop("ok", True), "foo v0.0.2", **step)
    found.more |= more
    return found.as_dict()


LOAD = {
    "limit": 20,
    "buckets": 2,
    "seconds": 3,
    "series": {family: {"accepted": {"0": 20, "1": 9}, "refused": {"1": 4}} for family in ("IPv4", "IPv6")},
}


def test_the_report_shows_every_scenario_and_says_which_went_otherwise() -> None:
    bad = result("S5", "both", ok=False)
    bad["steps"].append({"title": "limited", "ok": False, "detail": "<300> accepted", "load": LOAD})
    trace = [{"service": "gateway.foo", "name": "op", "start": 0.0, "milliseconds": 3.0}]
    results = [result("S1", "IPv4"), result("S1", "IPv6"), bad, result("S6", "IPv6", trace=trace)]
    report = report_action.with_scenarios(dict(report_page.EMPTY), {"scenarios": results, "topology": {}})
    assert report["ok"] is False
    page = report_page.page(report)
    assert "S5 went otherwise" in page
    for part in ("seq", "plot", "trace"):
        assert f'class="map {part}"' in page
    assert "&lt;300&gt; accepted" in page and "<300>" not in page
    text = report_page.summary(report)
    assert "FAILED S5 both: limited: <300> accepted" in text
    assert b'testsuite name="S1 IPv6"' in report_page.junit(report)


def test_scenarios_that_were_not_run_again_stay_in_the_report() -> None:
    before = dict(report_page.EMPTY) | {"scenarios": [result("S1", "IPv4", ok=False), result("S2", "IPv4")]}
    report = report_action.with_scenarios(before, {"scenarios": [result("S1", "IPv4")], "topology": None})
    assert [(one["id"], one["ok"]) for one in report["scenarios"]] == [("S1", True), ("S2", True)]
    assert report["ok"] is True


def test_lanes_lead_from_callers_to_the_called() -> None:
    step = {"tenant": "foo", "place": "outside", "hops": [{"who": "client v1"}, {"who": "provider v2"}]}
    assert scenario_pictures.lanes([step]) == ["outside", "gateway of foo", "client", "provider"]
    assert scenario_pictures.waterfall([]) == ""


def test_a_row_without_an_arrow_shows_the_request_and_a_share_is_short() -> None:
    one = result("S4", "IPv4")
    hops = [{"who": "foo v1"}]
    one["steps"] = [
        {"title": "client → foo", "ok": True, "detail": "foo v1", "tenant": "foo", "place": "client", "hops": hops},
        {"title": "client of foo → bar of bar", "ok": True, "detail": "timed out", "tenant": "foo", "place": "client"},
        {"title": "nothing of bar is seen", "ok": True, "detail": "HTTP 200", "tenant": "foo", "place": "client"},
        {
            "title": "shares",
            "ok": True,
            "detail": "v1 80% of 9; v2 20% of 9",
            "tenant": "foo",
            "place": "client",
            "hops": hops,
        },
    ]
    picture = scenario_pictures.sequence([one])
    assert "bar of bar: timed out" in picture and "nothing of bar is seen: HTTP 200" in picture
    assert "v1 80% of 9<" in picture
