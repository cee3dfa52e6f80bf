"""The verification's report as text, JUnit XML and page, and action report, which writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ansible_collections.twinstack.core.plugins.action import report as report_action
from ansible_collections.twinstack.core.plugins.plugin_utils.report import page as report_page

from tests.conftest import Run


def probe(number: int, family: str, ok: bool, **more: Any) -> dict[str, Any]:
    """A probe from a to b."""
    return {
        "id": f"pod-pod/{family}/{number}",
        "group": "pod-pod",
        "title": "pod to pod",
        "family": family,
        "from": "a",
        "to": "b",
        "ok": ok,
        "milliseconds": 1.5,
        "detail": "" if ok else "timed out <2 s>",
        "next": "" if ok else "ping b & look",
        **more,
    }


def report(*probes: dict[str, Any]) -> dict[str, Any]:
    """A report of these probes."""
    return {
        "schema": 1,
        "cluster": "lab <1>",
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 12.3,
        "ok": all(item["ok"] for item in probes),
        "versions": {"kubernetes": "v1.37.2"},
        "settings": {},
        "nodes": [{"name": name, "roles": ["worker"], "ipv4": "10.0.0.1", "ipv6": "fd00::1"} for name in "ab"],
        "probes": list(probes),
        "skipped": [{"group": "node-port", "reason": "no outside"}],
    }


GOOD = report(probe(1, "IPv4", True), probe(2, "IPv6", True))
BAD = report(probe(1, "IPv4", True), probe(2, "IPv6", False), probe(3, "IPv6", True))


class Balanced(HTMLParser):
    """Checks that what is opened is closed, and collects text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "rect", "path", "circle", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        while self.open and self.open[-1] in ("p", "td", "tr", "th", "li") and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text.append(data)


def test_the_summary_counts_per_family_and_names_failures() -> None:
    lines = report_page.summary(BAD).splitlines()
    assert lines[0].split() == ["IPv4", "IPv6"]
    assert lines[1].split() == ["pod-pod", "1/1", "1/2"]
    assert "FAILED pod-pod/IPv6/2: timed out <2 s>. Try: ping b & look" in lines
    assert "not probed: node-port: no outside" in lines
    assert "FAILED" not in report_page.summary(GOOD)


def test_junit_has_a_suite_per_family_and_a_failure_per_failed_probe() -> None:
    root = ElementTree.fromstring(report_page.junit(BAD))
    suites = {suite.get("name"): suite for suite in root}
    assert (suites["IPv6"].get("tests"), suites["IPv6"].get("failures")) == ("2", "1")
    assert suites["IPv4"].get("failures") == "0"
    failure = suites["IPv6"].find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("timed out <2 s>", "ping b & look")


def test_the_page_is_one_well_formed_file_with_the_failure_and_what_to_do() -> None:
    page = report_page.page(BAD)
    parsed = Balanced()
    parsed.feed(page)
    text = " ".join(parsed.text)
    assert "timed out <2 s>" in text, "escaped once, shown as it was"
    assert "ping b & look" in text
    assert "lab <1>" in text
    assert [link for link in parsed.links if not link.startswith("#")] == [], "nothing is fetched from anywhere"
    assert "1 of 3 probes failed" in text
    assert "every probe passed" in report_page.page(GOOD)


def test_the_page_shows_where_the_time_went() -> None:
    phases = [{"name": "Hosts <a>", "seconds": 12.34}, {"name": "Network", "seconds": 30.0}]
    page = report_page.page(GOOD | {"run": phases})
    assert "Hosts &lt;a&gt;" in page
    assert "12.3 s" in page


def test_the_action_writes_all_three(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    task = {"name": "R", "twinstack.core.report": {"report": BAD, "dest": str(tmp_path / "out")}}
    play = [{"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    done = playbook("-i", "localhost,", tmp_path / "play.yml").succeeded()
    assert "FAILED pod-pod/IPv6/2" in done.output
    assert json.loads((tmp_path / "out/report.json").read_text()) == BAD | {"run": []}
    assert (tmp_path / "out/report.xml").read_bytes().startswith(b"<?xml")
    assert "probes failed" in (tmp_path / "out/report.html").read_text()


def test_a_verification_that_still_holds_says_when_it_was_checked(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    """The last report is written again with the endpoints that were checked, per family, and its probes stay."""
    (tmp_path / "report.json").write_text(json.dumps(GOOD), encoding="utf-8")
    endpoints = [{"family": "IPv4"}, {"family": "IPv6"}, {"family": "IPv6"}]
    task = {"name": "R", "twinstack.core.report": {"endpoints": endpoints, "hosts": 3, "dest": str(tmp_path)}}
    play = [{"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    done = playbook("-i", "localhost,", tmp_path / "play.yml").succeeded()
    assert "unchanged since, 3 IPv4 and 6 IPv6 endpoints reachable" in done.output
    assert json.loads((tmp_path / "report.json").read_text())["probes"] == GOOD["probes"]
    assert "3 IPv4 and 6 IPv6 endpoints" in (tmp_path / "report.html").read_text()


def test_phases_come_from_the_run_that_goes_on(tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    assert report_action.phases(record, 5.0) == []
    listed = [{"name": "Hosts", "seconds": 9.0}, {"name": "Verify", "seconds": 0.0}]
    record.write_text(json.dumps({"finished": False, "phases": listed}))
    assert report_action.phases(record, 5.0) == [listed[0], {"name": "Verify", "seconds": 5.0}]
    record.write_text(json.dumps({"finished": True, "phases": listed}))
    assert report_action.phases(record, 5.0) == [], "an earlier run's times are not this one's"


def test_the_verification_says_where_its_own_time_went() -> None:
    """After the phases of the run, on the same scale."""
    page = report_page.page(
        report(probe(1, "IPv4", True))
        | {"phases": {"start": 12.5, "probe": 3.0}, "run": [{"name": "Hosts", "seconds": 25.0}]}
    )
    rows = re.findall(r"<tr><td>([^<]+)</td><td>([^<]+)</td><td><span class=bar style=\"width:([\d.]+)%", page)
    assert rows == [
        ("Hosts", "25.0 s", "100.0"),
        ("verification: start", "12.5 s", "50.0"),
        ("verification: probe", "3.0 s", "12.0"),
    ]


def test_a_comparison_is_shown_and_outlives_the_next_verification(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    counts = {"bytes": 1234567, "listeners": 1, "clusters": 2, "routes": 3, "endpoints": 4, "memory": 5}
    measured = [{"way": way, "services": 20, "counts": counts} for way in ("single", "duplicated", "dual")]
    given: list[dict[str, Any]] = [{"report": GOOD}, {"comparison": measured}, {"report": GOOD}]
    tasks = [{"name": "R", "twinstack.core.report": {**item, "dest": str(tmp_path)}} for item in given]
    play = [{"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    playbook("-i", "localhost,", tmp_path / "play.yml").succeeded()
    assert json.loads((tmp_path / "report.json").read_text())["comparison"]["results"] == measured
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Three ways to dual stack, compared</h2>" in page and "emulated" in page
    assert page.count("<td>1234567</td>") == 3
    assert "<polyline" in page


def test_every_scenario_has_its_time() -> None:
    results = [
        {"id": "S1", "family": family, "ok": True, "title": "t", "sent": 1, "got": 1, "seconds": took, "steps": []}
        for family, took in (("IPv4", 2.0), ("IPv6", 4.0))
    ]
    assert "<td>scenario S1</td><td>4.0 s</td>" in report_page.page(GOOD | {"scenarios": results})
