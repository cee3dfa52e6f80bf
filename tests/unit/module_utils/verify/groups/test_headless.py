"""Group headless: a headless name leads to every pod, in each family."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import headless
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Known, Probe, Query

from tests.unit.module_utils.verify.groups.two_nodes import NO_ANSWER, answer, failed, plain, red
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster

NAME = "headless.twinstack-verify.svc.cluster.local."
PODS = {"A": ("10.244.1.4", "10.244.2.4"), "AAAA": ("fd66:244:0:1::4", "fd66:244:0:2::4")}


def told(probe: Probe, lacking: str = "") -> list[str]:
    """What the shell prints in a healthy cluster whose DNS has no record of one address."""
    if isinstance(probe.action, Fetch):
        return answer("pod-worker1")
    assert isinstance(probe.action, Query)
    kind = probe.action.kind
    lines = [";; ->>HEADER<<- opcode: QUERY, rcode: NOERROR, id: 1", ";; ANSWER SECTION:"]
    lines += [f"{NAME} 30 IN {kind} {address}" for address in PODS[kind] if address != lacking]
    return [f"q0:{line}" for line in lines]


def test_both_nodes_look_the_name_up_and_connect_by_it_in_both_families() -> None:
    backends = frozenset({"pod-cp1", "pod-worker1"})
    wanted: dict[str, Query | Fetch] = {}
    for node in ("cp1", "worker1"):
        for family, kind in (("IPv4", "A"), ("IPv6", "AAAA")):
            wanted[f"headless/{family}/{node}/records"] = Query("", kind, NAME, frozenset(PODS[kind]))
            wanted[f"headless/{family}/{node}/connect"] = Fetch("http://headless:8080/hostname", family, backends)
    probes = probes_of(headless.GROUP, plain())
    assert {name: probe.action for name, probe in probes.items()} == wanted
    assert {probe.runner for probe in probes.values()} == {"pod/cp1", "pod/worker1"}


def test_a_headless_name_leads_to_every_pod() -> None:
    action = probes_of(headless.GROUP, raw_cluster())["headless/IPv4/worker2/records"].action
    assert isinstance(action, Query)
    assert action.answers == {"10.244.1.4", "10.244.2.4", "10.244.3.4"}
    assert action.server == ""


def test_a_pod_whose_record_is_missing_is_red_in_that_family_alone() -> None:
    probes = probes_of(headless.GROUP, plain())
    assert red(probes, told) == set()
    assert red(probes, lambda probe: told(probe, "fd66:244:0:2::4")) == {
        "headless/IPv6/cp1/records",
        "headless/IPv6/worker1/records",
    }


def test_a_connection_that_fails_in_one_family_is_red_there() -> None:
    def without_ipv4(probe: Probe) -> list[str]:
        failing = isinstance(probe.action, Fetch) and probe.action.family == "IPv4"
        return list(NO_ANSWER) if failing else told(probe)

    assert red(probes_of(headless.GROUP, plain()), without_ipv4) == {
        "headless/IPv4/cp1/connect",
        "headless/IPv4/worker1/connect",
    }


def test_while_no_pod_runs_or_none_has_the_family_nothing_is_tried() -> None:
    raw = plain()
    for item in raw["pods"]:
        if item["metadata"]["name"].startswith("pod-"):
            del item["status"]["podIPs"][1]
    found = failed(probes_of(headless.GROUP, raw))
    assert set(found.values()) == {"not tried: no pod has an IPv6 address"}
    assert set(found) == {name for name in probes_of(headless.GROUP, plain()) if "/IPv6/" in name}
    for item in raw["pods"]:
        item["status"] = {"phase": "Pending"}
    for probe in probes_of(headless.GROUP, raw).values():
        assert probe.action == Known(False, "not tried: no pod runs behind the Service: Pending")
