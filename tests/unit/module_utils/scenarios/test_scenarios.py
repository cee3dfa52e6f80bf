"""Scenarios: what is asked, what counts as the right answer, and what the report makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.action import report as report_action
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import http_probe, model, telemetry
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import run as scenario_run
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_id
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import scenarios as scenario_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.report import page as report_page
from ansible_collections.twinstack.core.plugins.plugin_utils.report import scenario_pictures

from tests.conftest import ROOT, Run

NODES = [{"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}, {"IPv4": "192.0.2.2", "IPv6": "2001:db8::2"}]
EXTERNAL = {"port": 18098, "ipv4": "192.0.2.9", "ipv6": "2001:db8::9"}
KNOWN: list[dict[str, Any]] = yaml.safe_load((ROOT / "roles/scenarios/vars/main.yml").read_text())["__scenarios_known"]
TENANTS = model.parse_tenants(
    yaml.safe_load((ROOT / "inventory/lab/group_vars/all/tenants.yml").read_text())["twinstack_tenants"]
)
IDS = [item["id"] for item in KNOWN]


def asked(name: str, external: dict[str, Any] | None = None) -> list[model.Ask]:
    """Requests of one of the known scenarios."""
    (scenario,) = [item for item in KNOWN if item["id"] == name]
    return list(model.asks(scenario, TENANTS, NODES, "cafe", EXTERNAL if external is None else external))


def told(*hops: str, **more: Any) -> dict[str, Any]:
    """An answer of a chain of services."""
    body: Any = None
    for hop in reversed(hops):
        service, version = hop.split()
        body = {"service": service, "version": version, "pod": "p", "caller": {}, "called": body}
    return {"status": 200, "text": json.dumps(body), "error": "", "milliseconds": 1.0, **more}


def test_the_known_scenarios_fit_the_labs_tenants() -> None:
    assert model.problems(KNOWN, TENANTS, IDS) == []
    assert IDS == ["S1", "S2", "S3", "S4", "S5", "S6", "S7"]


def test_the_labs_scenarios_are_right_and_none_is_no_mistake() -> None:
    tenants = yaml.safe_load((ROOT / "inventory/lab/group_vars/all/tenants.yml").read_text())
    assert list(scenario_rules.check_scenarios(tenants, lambda name: name)) == []
    assert list(scenario_rules.check_scenarios({"scenarios_run": []}, lambda name: name)) == []
    without = {"scenarios_run": ["S9"], "twinstack_mesh": False}
    assert list(scenario_rules.check_scenarios(without, lambda name: name)) == [], "they are not run without a mesh"
    assert scenario_rules.known() == KNOWN


def test_what_an_inventory_leaves_out_is_said_in_the_title() -> None:
    (scenario,) = [item for item in KNOWN if item["id"] == "S7"]
    assert model.heading(scenario, EXTERNAL) == "Out of the mesh"
    assert model.heading(scenario, {}).endswith("scenarios_external is empty: client → host outside the cluster)")
    assert len(asked("S7", {})) == len(asked("S7")) - 2


def test_everything_that_is_wrong_is_told_at_once() -> None:
    scenarios: list[dict[str, Any]] = [
        {"id": "A", "requests": [{"tenant": "nobody", "service": "x"}, {"tenant": "foo", "service": "x"}]},
        {"id": "B", "kind": "dance"},
    ]
    found = model.problems(scenarios, TENANTS, ["A", "B", "C"])
    assert [one.line().partition(",")[0] for one in found] == [
        "C: found no such scenario",
        "A: found tenant nobody",
        "A: found service x",
        "B: found kind dance",
    ]
    twice = [KNOWN[0], KNOWN[0] | {"title": "another"}]
    assert [one.line() for one in model.problems(twice, TENANTS, [])] == [
        "S1: found 2 scenarios of this id, expected one"
    ]


@pytest.mark.parametrize("name", ["S1", "S2", "S3", "S4"])
def test_every_request_is_sent_over_both_families(name: str) -> None:
    items = [item for item in asked(name) if not item.lacks]
    by_family = {
        family: [(i.title, i.hops, i.place) for i in items if i.family == family] for family in ("IPv4", "IPv6")
    }
    assert by_family["IPv4"] == by_family["IPv6"] != []
    for item in items:
        if item.connect:
            assert item.connect.startswith("[") is (item.family == "IPv6")


def test_a_request_from_outside_names_the_gateways_port_and_path() -> None:
    first = asked("S3")[0]
    assert first.url == "http://192.0.2.1:30080/client/call?to=http://provider/&family=IPv4"
    assert first.connect == "192.0.2.1:30080"
    assert dict(first.headers)["traceparent"].startswith("00-"), "so that its trace can be found"
    assert asked("S3")[1].connect.endswith("]:30080")


def test_a_server_outside_is_asked_only_where_there_is_one() -> None:
    assert {item.connect for item in asked("S7") if "rack" in item.url} == {"192.0.2.9:18098", "[2001:db8::9]:18098"}
    assert not [item for item in asked("S7", {}) if "rack" in item.url]
    families = {item.url: [i.family for i in asked("S7") if i.url == item.url] for item in asked("S7")}
    assert families["http://only-ipv6.twinstack-demo/"] == ["IPv6"]


# --- answers ----------------------------------------------------------------------------------------------------------


def want(**fields: Any) -> model.Ask:
    """A request that expects something."""
    return model.Ask("S", "IPv4", "foo", "outside", "t", "http://x/", **fields)


def test_every_service_of_a_chain_must_answer_in_its_version() -> None:
    item = want(hops=("client v1", "provider v2"))
    assert model.judge(item, [told("client v1", "provider v2")])[0]
    for wrong in (told("client v1"), told("client v1", "provider v1"), told("client v2", "provider v2")):
        ok, detail, _ = model.judge(item, [wrong])
        assert not ok and "expected client v1 → provider v2" in detail
    ok, detail, _ = model.judge(item, [{"status": 503, "text": "no healthy upstream", "error": ""}])
    assert not ok and "HTTP 503" in detail
    ok, detail, _ = model.judge(item, [{"status": 0, "text": "", "error": "refused"}])
    assert not ok and "refused" in detail


def test_one_wrong_answer_of_many_is_wrong() -> None:
    ok, _, _ = model.judge(want(hops=("a v1",), repeat=2), [told("a v1"), told("a v2")])
    assert not ok


def test_isolation_is_broken_by_any_answer() -> None:
    item = want(refused=True)
    assert model.judge(item, [{"status": 0, "text": "", "error": "timed out", "tried": True}])[0]
    assert model.judge(item, [{"status": 502, "text": "", "error": ""}])[0]
    assert not model.judge(item, [told("bar v1")])[0]


def test_a_text_that_must_not_be_there_is_told() -> None:
    item = want(lacks=(".bar.svc.",))
    assert model.judge(item, [told("x v1", found={".bar.svc.": False})])[0]
    assert not model.judge(item, [told("x v1", found={".bar.svc.": True})])[0]


@pytest.mark.parametrize(
    ("second", "right"), [(40, True), (58, True), (22, True), (60, False), (20, False), (0, False)]
)
def test_a_share_may_differ_by_chance_only(second: int, right: bool) -> None:
    """20 % of 200: 99.9 % of all samples have 22 to 58."""
    answers = [told("w v2")] * second + [told("w v1")] * (200 - second)
    item = want(shares=(("v1", 80), ("v2", 20)), repeat=200)
    assert model.judge(item, answers)[0] is right


# --- load -------------------------------------------------------------------------------------------------------------


def log(code: int, *seconds: float) -> str:
    """Lines of fortio's access log."""
    lines = [
        {"latency": 0.01, "timestamp": int((1795620285 + second) * 1e9), "ok": code == 200, "details": str(code)}
        for second in seconds
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_an_access_log_is_counted_by_second() -> None:
    load = model.parse_access_log(
        "Fortio says\n" + log(200, 0.0, 0.9, 1.2) + log(429, 1.5) + log(503, 2.0) + "All done 5"
    )
    assert (load.accepted, load.refused, load.others, load.total) == ({0: 2, 1: 1}, {1: 1}, {"503": 1}, 5)
    assert model.parse_access_log("nothing").total == 0


@pytest.mark.parametrize(
    ("accepted", "refused", "others", "right"),
    [
        ((80, 80), (50, 50), {}, True),
        ((150, 30), (10, 90), {}, True),  # how tokens fall between the families is chance
        ((300, 300), (5, 5), {}, False),  # a limit that was raised
        ((40, 40), (90, 90), {}, False),  # too little was let through
        ((80, 80), (50, 0), {}, False),  # one family is not limited
        ((80, 80), (50, 50), {"503": 1}, False),
    ],
)
def test_both_families_together_keep_to_a_limit(
    accepted: tuple[int, int], refused: tuple[int, int], others: dict[str, int], right: bool
) -> None:
    loads = {
        family: model.Load({0: accepted[number]}, {0: refused[number]} if refused[number] else {}, others)
        for number, family in enumerate(("IPv4", "IPv6"))
    }
    ok, detail = model.judge_load(loads, limit=20, seconds=8, buckets=1)
    assert ok is right, detail


@pytest.mark.parametrize(("late", "right"), [(0.0, False), (3.0, True), (3600.0, False)])
def test_a_family_that_asks_later_finds_the_limit_filled_again(late: float, right: bool) -> None:
    """On a busy host one begins seconds after the other; a clock that is an hour off explains nothing."""
    loads = {
        "IPv4": model.Load({0: 120}, {0: 50}, {}, 1000.0, 1008.0),
        "IPv6": model.Load({0: 100}, {0: 50}, {}, 1000.0 + late, 1008.0 + late),
    }
    assert model.judge_load(loads, limit=20, seconds=8, buckets=1)[0] is right


# --- what was seen ----------------------------------------------------------------------------------------------------


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


def test_what_was_never_tried_was_not_refused() -> None:
    (item, *_) = [one for one in asked("S4") if one.refused]
    refused = {"id": 0, "status": 0, "text": "", "error": "timed out", "tried": True}
    assert model.judge(item, [refused])[0]
    for gone in ({"tried": False, "error": "Name or service not known"}, {"error": "in client-1: exec refused"}):
        ok, detail, _ = model.judge(item, [{"id": 0, "status": 0, "text": "", **gone}])
        assert not ok and detail.endswith("expected a try, and to be refused")
    assert not model.judge(item, [{**refused, "status": 200}])[0]


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


def test_fewer_counted_than_sent_is_told() -> None:
    assert telemetry.judge_count(40, 40)[0] and telemetry.judge_count(41, 40)[0]
    assert not telemetry.judge_count(39, 40)[0]
    assert not telemetry.judge_count(0, 0)[0], "nothing sent is no proof"


# --- asking, for real -------------------------------------------------------------------------------------------------


class Page(BaseHTTPRequestHandler):
    """Tells who asked, and with which header."""

    def do_GET(self) -> None:
        """Answer."""
        body = f"{self.client_address[0]} {self.headers.get('version')} {self.headers.get('host')} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """On both families of the loopback."""

    address_family = __import__("socket").AF_INET6


@pytest.fixture
def port() -> Iterator[int]:
    """A server's port on both families."""
    with Server(("::", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()


def test_requests_go_over_the_family_that_they_name(port: int) -> None:
    requests = [
        {
            "id": 0,
            "url": "http://x.example/a?b=c",
            "family": "IPv4",
            "connect": f"127.0.0.1:{port}",
            "find": ["x.ex", "no"],
        },
        {
            "id": 1,
            "url": "http://x.example/",
            "family": "IPv6",
            "connect": f"[::1]:{port}",
            "headers": {"version": "v2"},
        },
        {"id": 2, "url": "http://x.example/", "family": "IPv6", "connect": "127.0.0.1:1", "timeout": 1},
        {"id": 3, "url": "http://x.example/", "family": "", "connect": f"localhost:{port}"},
    ]
    done = subprocess.run(
        [sys.executable, http_probe.__file__],
        input=json.dumps(requests) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    four, six, none, either = json.loads(done.stdout)
    assert (four["status"], four["text"]) == (200, "::ffff:127.0.0.1 None x.example /a?b=c")
    assert four["found"] == {"x.ex": True, "no": False}
    assert six["text"].startswith("::1 v2 ")
    assert none["status"] == 0 and none["error"]
    assert four["tried"] and not none["tried"], "an address of the other family is none to try"
    assert either["status"] == 200


def test_what_was_seen_of_all_the_rest_is_asked_last() -> None:
    assert list(scenario_run.seen_last(KNOWN)) == ["S1", "S2", "S3", "S4", "S5", "S7", "S6"]


def test_what_scenarios_bring_is_kept_for_those_that_need_it() -> None:
    assert scenario_run.needing_own(KNOWN) == {"S5", "S7"}
    assert scenario_run.needing_own([item for item in KNOWN if item["id"] in ("S1", "S6")]) == set()
    asks_it = {"id": "A", "traced": True, "requests": [{"tenant": "foo", "url": "http://dual.twinstack-demo/"}]}
    looks_at_it = {"id": "B", "kind": "seen", "traced": "A"}  # sends it again while a graph lacks something
    assert scenario_run.needing_own([asks_it, looks_at_it]) == {"A", "B"}


class Recorder:
    """Stands where the engine is: what it was told to do, and one result for each scenario."""

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.api = self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def noted(*_: Any) -> dict[str, Any]:
            self.done.append(name)
            return {}

        return noted

    def run(self, scenario: dict[str, Any]) -> list[model.Result]:
        """A result without a step."""
        self.done.append(scenario["id"])
        return [model.Result(scenario["id"], "IPv4", "t")]


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (["S1", "S5", "S6", "S7"], "bring S1 S3 wait_for_own S5 wait_for_own S7 start_removal S6"),
        (["S5"], "bring wait_for_own S5 start_removal"),
        (["S1", "S2"], "S1 S2"),
    ],
)
def test_what_scenarios_bring_goes_when_nobody_needs_it_any_more(
    wanted: list[str], order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(scenario_run, "Engine", lambda *_: Recorder(done))
    settings = scenario_run.Settings("", TENANTS, [], "", "", (), {}, 5, 5)
    results, _ = scenario_run.run_all(KNOWN, wanted, settings)
    steps = [step for step in done if step not in ("wait_until_ready", "count", "topology")]
    assert steps == ["clean", *order.split(), "clean"]
    assert [result["id"] for result in results] == sorted(result["id"] for result in results), "in their own order"


def test_the_engine_asks_from_outside_and_keeps_repeats_together(port: int) -> None:
    engine = object.__new__(scenario_run.Engine)  # without a cluster: nothing here is asked from inside
    engine.settings = scenario_run.Settings("", TENANTS, [], "", "", (), {}, 5, 5)
    engine.sent = {}
    items = [
        want(connect=f"127.0.0.1:{port}", repeat=3),
        model.Ask("S", "IPv6", "foo", "outside", "t", "http://x/", connect=f"[::1]:{port}"),
    ]
    four, six = engine.answers(items)
    assert [answer["status"] for answer in four] == [200] * 3
    assert [answer["text"].split()[0] for answer in six] == ["::1"]
    assert engine.sent == {("foo", "IPv4"): 3, ("foo", "IPv6"): 1}
    other = model.Ask("S", "IPv4", "bar", "outside", "t", "http://x/", connect=f"127.0.0.1:{port}")
    nowhere = model.Ask("S", "IPv4", "bar", "outside", "t", "http://no-such-name.invalid/")
    answers = engine.answers([items[1], other, nowhere])
    assert [found["status"] for (found,) in answers] == [200, 200, 0], "each with its own, whichever comes first"
    assert not answers[2][0]["tried"]


def test_the_module_refuses_what_cannot_be_run_before_it_asks_anybody(
    tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    given = {
        "kubeconfig": str(tmp_path / "none"),
        "scenarios": [{"id": "A", "requests": [{"tenant": "nobody", "service": "x"}]}],
        "run": ["A", "B"],
        "tenants": [],
        "nodes": [],
        "demo_image": "demo:1",
        "fortio_image": "fortio:1",
    }
    tasks = [{"name": "S", "twinstack.core.scenarios": given}]
    python = {"ansible_python_interpreter": sys.executable}
    play = {"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": python}
    (tmp_path / "play.yml").write_text(json.dumps([play | {"tasks": tasks}]), encoding="utf-8")
    done = playbook("-i", "localhost,", tmp_path / "play.yml")
    assert done.code != 0
    assert "B: found no such scenario, expected one of A" in done.output
    assert "A: found tenant nobody, expected one of twinstack_tenants (none)" in done.output


# --- the objects and the page -----------------------------------------------------------------------------------------


def test_what_scenarios_bring_is_in_one_namespace_and_single_stack_where_it_says_so() -> None:
    found = scenario_objects.objects("demo:1", "fortio:1")
    assert {item["metadata"].get("namespace", item["metadata"]["name"]) for item in found} == {
        scenario_objects.NAMESPACE
    }
    services = {item["metadata"]["name"]: item["spec"]["ipFamilies"] for item in found if item["kind"] == "Service"}
    assert services == {"dual": ["IPv4", "IPv6"], "only-ipv4": ["IPv4"], "only-ipv6": ["IPv6"]}


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


def test_a_row_without_an_arrow_tells_what_was_asked_and_a_share_is_told_short() -> None:
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


def test_every_request_has_a_trace_of_its_own_and_the_first_the_one_that_is_looked_for() -> None:
    traces = [dict(item.headers)["traceparent"].split("-")[1] for item in asked("S3")]
    assert len(set(traces)) == len(traces)
    assert traces[:2] == [trace_id("cafe", family, "S3") for family in ("IPv4", "IPv6")]
