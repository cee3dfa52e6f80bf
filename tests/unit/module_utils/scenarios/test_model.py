"""Scenarios: which requests are sent, and which answers are right."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_id
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import scenarios as scenario_rules

from tests.conftest import ROOT
from tests.unit.module_utils.scenarios.samples import EXTERNAL, IDS, KNOWN, TENANTS, asked, told, want


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


def test_everything_that_is_wrong_is_reported_at_once() -> None:
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


def test_a_server_outside_gets_requests_only_where_there_is_one() -> None:
    assert {item.connect for item in asked("S7") if "rack" in item.url} == {"192.0.2.9:18098", "[2001:db8::9]:18098"}
    assert not [item for item in asked("S7", {}) if "rack" in item.url]
    families = {item.url: [i.family for i in asked("S7") if i.url == item.url] for item in asked("S7")}
    assert families["http://only-ipv6.twinstack-demo/"] == ["IPv6"]


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


def test_a_text_that_must_not_be_there_is_reported() -> None:
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


def test_what_was_never_tried_was_not_refused() -> None:
    (item, *_) = [one for one in asked("S4") if one.refused]
    refused = {"id": 0, "status": 0, "text": "", "error": "timed out", "tried": True}
    assert model.judge(item, [refused])[0]
    for gone in ({"tried": False, "error": "Name or service not known"}, {"error": "in client-1: exec refused"}):
        ok, detail, _ = model.judge(item, [{"id": 0, "status": 0, "text": "", **gone}])
        assert not ok and detail.endswith("expected a try, and to be refused")
    assert not model.judge(item, [{**refused, "status": 200}])[0]


def test_every_request_has_a_trace_of_its_own_and_the_first_the_one_that_is_looked_for() -> None:
    traces = [dict(item.headers)["traceparent"].split("-")[1] for item in asked("S3")]
    assert len(set(traces)) == len(traces)
    assert traces[:2] == [trace_id("cafe", family, "S3") for family in ("IPv4", "IPv6")]
