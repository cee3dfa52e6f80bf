"""The report: what passed and failed, and what to try next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import ids
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Known, Outside, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.report import (
    conclude,
    counts,
    first_failures,
    next_command,
)

from tests.unit.module_utils.verify.samples import LAB, NAMESPACE, RUN, raw_mesh, raw_observed, sample_cluster


def report_of(**broken: Verdict) -> dict[str, Any]:
    todo = plan(sample_cluster(), NAMESPACE, 18080, "", Outside())
    verdicts = {item.id: Verdict(True, "fine", 1.0) for item in todo.probes}
    verdicts.update({name.replace("__", "/").replace("_", "-"): verdict for name, verdict in broken.items()})
    assert set(verdicts) == {item.id for item in todo.probes}
    return conclude(todo, verdicts, sample_cluster(), "2026-11-24T06:00:00+00:00", 9.96)


def test_a_green_report() -> None:
    report = report_of()
    assert (report["schema"], report["ok"], report["seconds"]) == (1, True, 10.0)
    assert report["settings"] == {
        "primary_family": "ipv4",
        "proxy_mode": "ipvs",
        "encapsulation": "VXLANCrossSubnet",
        "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"],
        "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
    }
    assert report["nodes"][0] == {"name": "cp1", "roles": ["control_plane"], "ipv4": "10.66.0.11", "ipv6": "fd66::11"}
    assert report["versions"]["containerd"] == "2.4.2"
    assert {entry["next"] for entry in report["probes"]} == {""}
    assert counts(report["probes"])["IPv6"]["failed"] == 0


def test_a_red_report_names_the_next_command() -> None:
    report = report_of(host_host__IPv6__cp1__worker1=Verdict(False, "curl 28: timed out"))
    assert report["ok"] is False
    assert first_failures(report["probes"]) == [
        "host-host/IPv6/cp1/worker1: curl 28: timed out. Try: on cp1: ip -6 route get fd66::12; ping -6 -c 3 fd66::12"
    ]
    assert counts(report["probes"]) == {
        family: {"passed": counts(report_of()["probes"])[family]["passed"] - failed, "failed": failed}
        for family, failed in (("IPv4", 0), ("IPv6", 1))
    }


def test_what_could_not_be_tried_is_skipped_once_not_failed() -> None:
    no_ping = Verdict(False, "no ping", skip=True)
    report = report_of(
        **{
            "large_packet__IPv4__cp1__worker1__pod_ping": no_ping,
            "large_packet__IPv6__cp1__worker1__pod_ping": no_ping,
        }
    )
    assert report["ok"] is True
    assert {"group": "large-packet", "reason": "pod-ping: no ping"} in report["skipped"]
    assert len([item for item in report["skipped"] if item["group"] == "large-packet"]) == 1


@pytest.mark.parametrize("group", ids(Part.CLUSTER))
def test_every_group_has_a_next_command_in_the_right_family(group: str) -> None:
    todo = plan(sample_cluster(), NAMESPACE, 18080, "", Outside())
    for item in todo.probes:
        if item.group != group:
            continue
        verdicts = {other.id: Verdict(True, "fine") for other in todo.probes}
        verdicts[item.id] = Verdict(False, "found source address 'x'" if group == "egress" else "broken")
        report = conclude(todo, verdicts, replace(sample_cluster(), name="x"), "", 0)
        entry = next(entry for entry in report["probes"] if entry["id"] == item.id)
        other = {"IPv4": "ip -6", "IPv6": "ip -4"}[item.family]
        assert entry["next"] and other not in entry["next"]


def test_what_was_not_tried_points_at_what_is_missing_and_not_at_its_group() -> None:
    why = "not tried: node cp1 has no IPv6 address"
    probe = Probe("dns", "dns", "dns", "IPv4", "a", "b", "pod/cp1", Known(False, why))
    assert "kubectl get node cp1 " in next_command(probe, Verdict(False, why))
    assert "kubectl get node cp1 " not in next_command(probe, Verdict(False, "broken"))


@pytest.mark.parametrize("raw", [raw_mesh(), raw_observed()], ids=["mesh", "telemetry"])
def test_every_probe_has_a_next_command(raw: dict[str, Any]) -> None:
    for probe in plan(observe(raw), NAMESPACE, 18080, "", LAB, RUN).probes:
        assert next_command(probe, Verdict(False, "x")), probe.id
