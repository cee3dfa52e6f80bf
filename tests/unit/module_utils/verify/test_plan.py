"""Which probes exist, and that a broken thing fails exactly what depends on it in exactly its family."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import (
    ids,
    mesh_build,
    mesh_graph,
    mesh_metrics,
    mesh_name,
    mesh_rules,
    mesh_strict,
    mesh_trace,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Fetch,
    Known,
    Listens,
    Outside,
    Probe,
    Redirects,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan, plan_without_agents
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan

from tests.unit.module_utils.verify.samples import (
    LAB,
    NAMESPACE,
    RUN,
    SPACE,
    raw_cluster,
    raw_mesh,
    raw_observed,
    sample_cluster,
)


def planned(raw: dict[str, Any], proxy_mode: str = "", outside: Outside | None = LAB) -> Plan:
    return plan(observe(raw), NAMESPACE, 18080, proxy_mode, outside)


def with_telemetry() -> Plan:
    return plan(observe(raw_observed()), NAMESPACE, 18080, "", LAB, RUN)


def by_id(todo: Plan) -> dict[str, Probe]:
    return {probe.id: probe for probe in todo.probes}


def failed(todo: Plan) -> set[str]:
    """Ids of probes that fail before anything ran."""
    return {probe.id for probe in todo.probes if isinstance(probe.action, Known) and not probe.action.ok}


def test_every_group_is_there_and_every_id_once() -> None:
    todo = planned(raw_cluster())
    assert {probe.group for probe in todo.probes} == set(ids(Part.CLUSTER))
    assert [name for name, times in Counter(probe.id for probe in todo.probes).items() if times > 1] == []
    assert todo.skipped == ()
    assert failed(todo) == set()


def test_every_probe_has_a_runner_that_runs() -> None:
    cluster = sample_cluster()
    for probe in planned(raw_cluster()).probes:
        if not isinstance(probe.action, Known):
            assert probe.runner == "outside" or cluster.agents[probe.runner].running, probe.id


@pytest.mark.parametrize(
    "group", [name for name in ids(Part.CLUSTER) if name not in ("api-server", "kube-proxy", "certificate")]
)
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


def test_check_mode_plans_only_what_the_api_shows() -> None:
    todo = plan_without_agents(sample_cluster(), NAMESPACE)
    assert {probe.group for probe in todo.probes} == {"addresses"}


# --- with a mesh, tenants and telemetry ------------------------------------------------------------------------


def test_without_a_mesh_there_is_none_of_its_groups() -> None:
    assert {probe.group for probe in planned(raw_cluster()).probes} == set(ids(Part.CLUSTER))


@pytest.mark.parametrize("group", ids(Part.MESH))
def test_every_group_of_the_mesh_is_probed_alike_in_both_families(group: str) -> None:
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
        elif probe.group == group == mesh_build.GROUP.id:
            assert isinstance(probe.action, Known) and probe.action.ok
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
        if probe.group in set(ids(Part.MESH)) - {mesh_strict.GROUP.id, mesh_build.GROUP.id}:
            assert isinstance(probe.action, Known) and not probe.action.ok, probe.id


def test_without_an_outside_the_mesh_says_so_too() -> None:
    assert [item.group for item in planned(raw_mesh(), outside=None).skipped] == ["node-port", "egress", "mesh-outside"]


def test_tenants_and_telemetry_are_probed_alike_in_both_families() -> None:
    groups = ids(Part.TENANTS, Part.TELEMETRY)
    todo = [probe for probe in with_telemetry().probes if probe.group in groups]
    assert {probe.group for probe in todo} == set(groups)
    names = {family: {probe.id.replace(family, "F") for probe in todo if probe.family == family} for family in FAMILIES}
    assert names["IPv4"] == names["IPv6"]
    for probe in todo:
        if isinstance(probe.action, Listens):
            assert probe.action.family == probe.family
            continue
        assert isinstance(probe.action, Fetch)
        assert ("[" in probe.action.url + probe.action.connect_to) is (probe.family == "IPv6"), probe.id


def test_only_this_verifications_own_traffic_counts() -> None:
    """What an earlier run left in Prometheus, Jaeger or Kiali does not count."""
    other = plan(observe(raw_observed()), NAMESPACE, 18080, "", LAB, "cafe0002")
    groups = {group.GROUP.id for group in (mesh_metrics, mesh_trace, mesh_graph)}  # the others show the moment
    mine = {probe.id: probe.action for probe in with_telemetry().probes if probe.group in groups}
    assert {name.partition("/")[0] for name in mine} == groups
    theirs = {probe.id: probe.action for probe in other.probes if probe.group in groups}
    assert set(mine) == set(theirs)
    assert all(mine[name] != theirs[name] for name in mine)
