"""The mesh's groups of the verification: which probes there are, and what passes as an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import (
    ids,
    mesh_gateway,
    mesh_mtls,
    mesh_name,
    mesh_outside,
    mesh_plain,
    mesh_rules,
    mesh_strict,
    mesh_wire,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Fetch,
    Known,
    Outside,
    Redirects,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import Request, judge_fetch, judge_redirects
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.report import next_command
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import curl_config

from tests.unit.module_utils.verify.samples import ANSWERED, LAB, NAMESPACE, SPACE, probes_of, raw_cluster, raw_mesh


def planned(raw: dict[str, Any], outside: Outside | None = LAB) -> Plan:
    return plan(observe(raw), NAMESPACE, 18080, "", outside)


def test_without_a_mesh_there_is_none_of_its_groups() -> None:
    assert {probe.group for probe in planned(raw_cluster()).probes} == set(ids(Part.CLUSTER))


def test_what_goes_around_a_proxy_cannot_pass() -> None:
    """The header that the caller's own proxy adds is required wherever the answer could come without it."""
    probes = probes_of(mesh_plain.GROUP, raw_mesh())
    assert probes
    for probe in probes.values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.contains == (mesh_plain.THROUGH_PROXY,) and probe.action.headers


@pytest.mark.parametrize("group", ids(Part.MESH))
def test_every_group_is_probed_alike_in_both_families(group: str) -> None:
    todo = planned(raw_mesh())
    assert todo.skipped == ()
    shapes = {
        family: sorted(
            (probe.source, probe.runner) for probe in todo.probes if (probe.group, probe.family) == (group, family)
        )
        for family in FAMILIES
    }
    assert shapes["IPv4"] == shapes["IPv6"] != []
    for probe in todo.probes:
        if probe.group == group and group == mesh_rules.GROUP.id:
            assert probe.action == Redirects(probe.family)
        elif probe.group == group:
            assert isinstance(probe.action, Fetch)
            if group == mesh_name.GROUP.id:
                assert probe.action.family == probe.family and f"//{probe.target}.{SPACE}.svc." in probe.action.url
            else:
                assert ("[" in probe.action.url) is (probe.family == "IPv6"), probe.id


def test_a_mesh_whose_pods_were_never_made_is_not_small_and_green() -> None:
    raw = raw_mesh()
    raw["pods"] = [item for item in raw["pods"] if item["metadata"]["namespace"] != SPACE]
    todo = planned(raw)
    assert {probe.id for probe in todo.probes} == {probe.id for probe in planned(raw_mesh()).probes}
    for probe in todo.probes:
        if probe.group in set(ids(Part.MESH)) - {mesh_strict.GROUP.id}:
            assert isinstance(probe.action, Known) and not probe.action.ok, probe.id


def test_without_an_outside_the_report_says_so() -> None:
    assert [item.group for item in planned(raw_mesh(), None).skipped] == ["node-port", "egress", "mesh-outside"]


def test_a_family_on_the_wire_is_recognised_by_the_called_proxys_own_address() -> None:
    probes = probes_of(mesh_wire.GROUP, raw_mesh())
    told = {probe.target: probe.action.contains for probe in probes.values() if isinstance(probe.action, Fetch)}
    assert told == {"only-ipv4": ("127.0.0.6:",), "only-ipv6": ("[::6]:",)}


def test_plain_pods_on_every_node_must_be_refused() -> None:
    probes = probes_of(mesh_strict.GROUP, raw_mesh()).values()
    assert {probe.runner for probe in probes} == {"pod/cp1", "pod/worker1", "pod/worker2"}
    assert all(isinstance(probe.action, Fetch) and probe.action.refused for probe in probes)


def test_the_gateway_leads_to_pods_in_the_mesh_and_to_no_others() -> None:
    for probe in probes_of(mesh_gateway.GROUP, raw_mesh()).values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.bodies == {"mesh-worker1", "mesh-worker2"}


def test_a_host_outside_gets_requests_from_the_mesh() -> None:
    action = probes_of(mesh_outside.GROUP, raw_mesh())["mesh-outside/IPv6/worker1/outside"].action
    assert action == Fetch("http://[fd66::1]:40000/")


def test_requests_by_mutual_tls_are_the_traffic_that_telemetry_shows() -> None:
    assert mesh_mtls.GROUP.traffic
    for probe in probes_of(mesh_mtls.GROUP, raw_mesh()).values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.contains == ("spiffe://",) and probe.action.send


@pytest.mark.parametrize(
    ("told", "ok"),
    [
        (replace(ANSWERED, exit_code=56, error="Connection reset by peer"), True),
        (replace(ANSWERED, exit_code=52, error="Empty reply from server"), True),
        (replace(ANSWERED, exit_code=28, error="timed out"), False),
        (replace(ANSWERED, exit_code=7, error="Connection refused"), False),
        (ANSWERED, False),
    ],
)
def test_only_a_broken_connection_is_a_refusal(told: Request, ok: bool) -> None:
    assert judge_fetch(Fetch("http://x/", refused=True), told, [], {}).ok is ok


OUT = "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001"
IN = "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006"


@pytest.mark.parametrize(
    ("rules", "lacking"),
    [
        ([OUT, IN], ""),
        (["meta l4proto tcp redirect to :15001", "meta l4proto tcp redirect to :15006"], ""),
        ([OUT], "inbound TCP (to port 15006)"),
        ([IN, "-A ISTIO_OUTPUT -p tcp --dport 15001 -j RETURN"], "outbound TCP (to port 15001)"),
        (["iptables-save: Permission denied (you must be root)"], "Permission denied"),
        ([], "outbound TCP (to port 15001) and inbound TCP (to port 15006)"),
    ],
)
def test_rules_of_a_family_lead_to_both_of_the_proxys_ports(rules: list[str], lacking: str) -> None:
    found = judge_redirects(rules)
    assert found.ok is not bool(lacking)
    assert lacking in found.detail


def test_an_answer_must_hold_what_the_proxies_add() -> None:
    action = Fetch("http://x/", contains=("spiffe://",))
    assert judge_fetch(action, ANSWERED, ["By=spiffe://cluster.local/ns/x/sa/y;Hash=1"], {}).ok
    verdict = judge_fetch(action, ANSWERED, [""], {})
    assert not verdict.ok
    assert "expected spiffe:// in it" in verdict.detail
    assert "include" in curl_config(1, Fetch("http://x/", headers=True))


def test_every_group_names_a_next_command() -> None:
    for probe in planned(raw_mesh()).probes:
        assert next_command(probe, Verdict(False, "x"))
