"""Which probes exist, and that a broken thing fails exactly what depends on it in exactly its family."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    FAMILIES,
    GROUPS,
    Fetch,
    Known,
    NoServers,
    Outside,
    Ping,
    Probe,
    Query,
    Servers,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe, waiting_reason
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan, plan_without_agents
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan

from tests.unit.module_utils.verify.samples import NAMESPACE, raw_cluster, sample_cluster

LAB = Outside({"IPv4": "10.66.0.1", "IPv6": "fd66::1"}, 40000)


def planned(raw: dict[str, Any], proxy_mode: str = "", outside: Outside | None = LAB) -> Plan:
    return plan(observe(raw), NAMESPACE, 18080, proxy_mode, outside)


def by_id(todo: Plan) -> dict[str, Probe]:
    return {probe.id: probe for probe in todo.probes}


def failed(todo: Plan) -> set[str]:
    """Ids of probes that fail before anything ran."""
    return {probe.id for probe in todo.probes if isinstance(probe.action, Known) and not probe.action.ok}


def test_every_group_is_there_and_every_id_once() -> None:
    todo = planned(raw_cluster())
    assert {probe.group for probe in todo.probes} == set(GROUPS)
    assert [name for name, times in Counter(probe.id for probe in todo.probes).items() if times > 1] == []
    assert todo.skipped == ()
    assert failed(todo) == set()


def test_every_probe_has_a_runner_that_runs() -> None:
    cluster = sample_cluster()
    for probe in planned(raw_cluster()).probes:
        if not isinstance(probe.action, Known):
            assert probe.runner == "outside" or cluster.agents[probe.runner].running, probe.id


@pytest.mark.parametrize("group", [name for name in GROUPS if name not in ("api-server", "kube-proxy", "certificate")])
def test_families_are_peers(group: str) -> None:
    """Same probes in both families, but for what has one family by nature."""
    shapes = {
        family: {
            probe.id.replace(family, "")
            for probe in planned(raw_cluster()).probes
            if probe.group == group and probe.family == family and "only-" not in probe.id
        }
        for family in FAMILIES
    }
    assert shapes["IPv4"] == shapes["IPv6"] != set()


def test_pods_are_probed_on_one_host_and_across_hosts() -> None:
    probes = by_id(planned(raw_cluster()))
    across, same = probes["pod-pod/IPv6/cp1/worker1"].action, probes["pod-pod/IPv6/cp1/cp1"].action
    assert across == Fetch("http://[fd66:244:0:2::4]:8080/hostname", bodies=frozenset({"pod-worker1"}))
    assert same == Fetch("http://[fd66:244:0:1::5]:8080/hostname", bodies=frozenset({"peer-cp1"}))


def test_egress_expects_the_nodes_own_address_of_the_family() -> None:
    probes = by_id(planned(raw_cluster()))
    inside, outside = probes["egress/IPv6/cp1/worker1"].action, probes["egress/IPv6/cp1/outside"].action
    assert inside == Fetch("http://[fd66::12]:18080/clientip", bodies=frozenset({"fd66::11"}), source=True)
    assert outside == Fetch("http://[fd66::1]:40000/", bodies=frozenset({"fd66::11"}), source=True)


def test_dns_asks_for_both_records_over_both_transports() -> None:
    probes = by_id(planned(raw_cluster()))
    name = f"only-ipv4.{NAMESPACE}.svc.cluster.local."
    assert probes["dns/IPv6/cp1/only-ipv4/A"].action == Query("fd66:96::a", "A", name, frozenset({"10.96.9.3"}))
    assert probes["dns/IPv6/cp1/only-ipv4/AAAA"].action == Query("fd66:96::a", "AAAA", name, frozenset())
    assert probes["dns/IPv4/cp1/only-ipv4/A"].action == Query("10.96.0.10", "A", name, frozenset({"10.96.9.3"}))


def test_headless_stands_for_every_pod() -> None:
    action = by_id(planned(raw_cluster()))["headless/IPv4/worker2/records"].action
    assert isinstance(action, Query)
    assert action.answers == {"10.244.1.4", "10.244.2.4", "10.244.3.4"}
    assert action.server == ""


def test_the_api_is_reached_in_both_families_though_its_service_has_one() -> None:
    ids = {probe.id for probe in planned(raw_cluster()).probes if probe.group == "api-server"}
    assert "api-server/IPv4/worker1/kubernetes" in ids
    assert "api-server/IPv6/worker1/kubernetes" not in ids
    assert "api-server/IPv6/worker1/cp1" in ids


def test_certificate_covers_addresses_from_every_host_and_names_in_both_families() -> None:
    probes = by_id(planned(raw_cluster()))
    assert probes["certificate/IPv6/worker1/cp1"].action == Fetch("https://[fd66::11]:6443/livez")
    for family, via in (("IPv4", "10.66.0.11:6443"), ("IPv6", "[fd66::11]:6443")):
        action = probes[f"certificate/{family}/cp1/cp1/api.twinstack.internal"].action
        assert action == Fetch("https://api.twinstack.internal:6443/livez", connect_to=via)


def test_full_size_pings_take_the_pods_own_mtu_only_in_pods() -> None:
    probes = by_id(planned(raw_cluster()))
    assert probes["large-packet/IPv6/cp1/worker1/pod-ping"].action == Ping("fd66:244:0:2::4", own_mtu=True)
    assert probes["large-packet/IPv6/cp1/worker1/host-ping"].action == Ping("fd66::12", own_mtu=False)


def test_kube_proxy_must_have_every_entry_with_its_real_servers() -> None:
    action = by_id(planned(raw_cluster()))[f"kube-proxy/IPv6/worker1/{NAMESPACE}-node-port"].action
    servers = frozenset({"[fd66:244:0:1::4]:8080", "[fd66:244:0:2::4]:8080", "[fd66:244:0:3::4]:8080"})
    assert action == Servers({"TCP [fd66:96::905]:80": servers, "TCP [fd66::12]:30080": servers})


def test_nftables_must_have_left_nothing_of_ipvs() -> None:
    probes = by_id(planned(raw_cluster(), proxy_mode="nftables"))
    assert probes["kube-proxy/IPv6/cp1/ipvs"].action == NoServers("IPv6")
    mode = probes["kube-proxy/IPv4/cp1/mode"].action
    assert isinstance(mode, Fetch)
    assert mode.bodies == {"nftables"}


def test_without_a_known_proxy_mode_the_group_is_skipped() -> None:
    raw = raw_cluster()
    raw["kube_proxy"] = None
    assert [item.group for item in planned(raw).skipped] == ["kube-proxy"]


def test_without_outside_the_report_says_so() -> None:
    todo = planned(raw_cluster(), outside=None)
    assert {item.group for item in todo.skipped} == {"node-port", "egress"}
    assert "node-port/IPv6/cp1/worker1" in by_id(todo)
    assert not [probe.id for probe in todo.probes if probe.source == "outside"]


# --- one thing broken -----------------------------------------------------------------------------------------


def test_a_node_without_ipv6_fails_ipv6_only() -> None:
    raw = raw_cluster()
    raw["nodes"][1]["status"]["addresses"].pop(1)
    bad = failed(planned(raw))
    assert {"addresses/IPv6/worker1/node", "host-host/IPv6/cp1/worker1", "egress/IPv6/worker1/cp1"} <= bad
    assert [name for name in bad if "/IPv6/" not in name] == []
    assert [name for name in bad if "worker1" not in name] == []


def test_dns_without_its_ipv6_address_fails_ipv6_transport_and_nothing_else() -> None:
    raw = raw_cluster()
    raw["services"][1]["spec"]["clusterIPs"].pop()
    bad = failed(planned(raw))
    assert {name.split("/")[0] for name in bad} == {"dns", "kube-proxy"}
    assert [name for name in bad if "/IPv6/" not in name] == []
    assert len([name for name in bad if name.startswith("dns/")]) == 3 * 4 * 2


def test_a_pool_that_is_gone_is_named() -> None:
    raw = raw_cluster()
    raw["pools"].pop()
    assert failed(planned(raw)) == {"addresses/IPv6/cluster/pool"}


def test_a_pod_without_an_address_is_named() -> None:
    raw = raw_cluster()
    raw["pods"][0]["status"]["podIPs"].pop(0)
    todo = planned(raw)
    known = by_id(todo)["addresses/IPv4/cp1/pods"].action
    assert known == Known(False, f"found 1 without: {NAMESPACE}/pod-cp1")
    assert [name for name in failed(todo) if "/IPv4/" not in name] == []


def test_a_refused_service_is_a_finding() -> None:
    raw = raw_cluster()
    raw["services"] = [item for item in raw["services"] if item["metadata"]["name"] != "only-ipv6"]
    raw["problems"] = {"only-ipv6": "IPv6 is not configured on this cluster"}
    todo = planned(raw)
    assert by_id(todo)["cluster-ip/IPv6/cluster/only-ipv6"].action == Known(
        False, "not created: IPv6 is not configured on this cluster"
    )
    assert {name.split("/")[0] for name in failed(todo)} == {"cluster-ip", "dns", "kube-proxy"}


def test_a_single_family_service_with_the_other_family_too_fails() -> None:
    raw = raw_cluster()
    only = next(item for item in raw["services"] if item["metadata"]["name"] == "only-ipv4")
    only["spec"]["clusterIPs"].append("fd66:96::999")
    assert failed(planned(raw)) == {"cluster-ip/IPv6/cluster/only-ipv4"}


def test_a_pod_that_does_not_start_fails_its_probes_and_hides_none() -> None:
    raw = raw_cluster()
    pod = raw["pods"][1]
    pod["status"] = {
        "phase": "Pending",
        "containerStatuses": [{"ready": False, "state": {"waiting": {"reason": "ContainerCreating"}}}],
    }
    raw["events"] = [
        {
            "type": "Warning",
            "reason": "FailedCreatePodSandBox",
            "message": "no IPv6 pool",
            "involvedObject": {"name": "pod-worker1"},
        }
    ]
    todo = planned(raw)
    assert len(todo.probes) == len(planned(raw_cluster()).probes)
    probe = by_id(todo)["pod-pod/IPv4/worker1/cp1"]
    assert probe.action == Known(False, "not tried: pod/worker1 does not run: FailedCreatePodSandBox: no IPv6 pool")
    assert not [name for name in failed(todo) if "worker1" not in name]


def test_a_service_without_any_running_pod_is_not_tried() -> None:
    raw = raw_cluster()
    for pod in raw["pods"]:
        if pod["metadata"]["name"].startswith("pod-"):
            pod["status"] = {"phase": "Pending", "reason": "Unschedulable"}
    probes = by_id(planned(raw))
    for name in ("cluster-ip/IPv4/cp1/host/dual-ipv4-first", "node-port/IPv6/cp1/worker1"):
        action = probes[name].action
        assert isinstance(action, Known)
        assert not action.ok
        assert action.detail.startswith("not tried: no pod runs behind the Service"), name


def test_a_pod_that_was_never_created_counts_too() -> None:
    raw = raw_cluster()
    raw["pods"] = [pod for pod in raw["pods"] if pod["metadata"]["name"] != "host-worker2"]
    todo = planned(raw)
    assert len(todo.probes) == len(planned(raw_cluster()).probes)
    assert "host-host/IPv6/worker2/cp1" in failed(todo)


def test_ipv6_first_is_seen() -> None:
    raw = raw_cluster()
    raw["services"][0]["spec"]["clusterIPs"] = ["fd66:96::1"]
    cluster = observe(raw)
    assert cluster.primary_family == "IPv6"
    ids = by_id(plan(cluster, NAMESPACE, 18080))
    assert "api-server/IPv6/worker1/kubernetes" in ids
    assert "api-server/IPv4/worker1/kubernetes" not in ids


def test_one_node_is_enough() -> None:
    raw = raw_cluster()
    raw["nodes"] = raw["nodes"][:1]
    raw["pods"] = [pod for pod in raw["pods"] if pod["spec"]["nodeName"] == "cp1"]
    todo = planned(raw, outside=None)
    assert "pod-pod/IPv6/cp1/cp1" in by_id(todo)
    assert {item.group for item in todo.skipped} == {"node-port", "egress", "large-packet"}


def test_check_mode_plans_only_what_the_api_tells() -> None:
    todo = plan_without_agents(sample_cluster(), NAMESPACE)
    assert {probe.group for probe in todo.probes} == {"addresses"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "absent"}}}]},
            "ErrImageNeverPull: absent",
        ),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "no node"}]},
            "no node",
        ),
        ({"phase": "Pending"}, "Pending"),
    ],
)
def test_why_a_pod_waits(status: dict[str, Any], expected: str) -> None:
    assert waiting_reason({"metadata": {"name": "x"}, "status": status}) == expected
