"""Groups that query Prometheus, Jaeger and Kiali for the verification's own requests."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import objects as verify_objects
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import (
    ids,
    mesh_collector,
    mesh_count,
    mesh_graph,
    mesh_metrics,
    mesh_trace,
    scrape_targets,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Listens, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge_fetch
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.report import next_command
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch, curl_config

from tests.unit.module_utils.verify.samples import (
    ANSWERED,
    LAB,
    NAMESPACE,
    RUN,
    piece,
    probes_of,
    raw_observed,
    service,
)


def observed() -> Plan:
    return plan(observe(raw_observed()), NAMESPACE, 18080, "", LAB, RUN)


def test_tenants_and_telemetry_are_probed_alike_in_both_families() -> None:
    groups = ids(Part.TENANTS, Part.TELEMETRY)
    todo = [probe for probe in observed().probes if probe.group in groups]
    assert {probe.group for probe in todo} == set(groups)
    names = {family: {probe.id.replace(family, "F") for probe in todo if probe.family == family} for family in FAMILIES}
    assert names["IPv4"] == names["IPv6"]
    counted = [probe for probe in todo if probe.group == mesh_count.GROUP.id]
    assert len(counted) == 2 * verify_objects.COUNTED and len({probe.runner for probe in counted}) == 1
    for probe in counted:
        assert isinstance(probe.action, Fetch)
        assert "max-time = 30" in curl_config(1, probe.action)
    for probe in todo:
        if isinstance(probe.action, Listens):
            assert probe.action == Listens(probe.family, 8081)
            assert probe.runner == "tenant/foo/shop-v1-1/web"  # one of those that are made alike
            continue
        assert isinstance(probe.action, Fetch)
        assert ("[" in probe.action.url + probe.action.connect_to) is (probe.family == "IPv6"), probe.id


def test_only_this_verifications_own_traffic_counts() -> None:
    """What an earlier run left in Prometheus, Jaeger or Kiali does not count."""
    other = plan(observe(raw_observed()), NAMESPACE, 18080, "", LAB, "cafe0002")
    groups = {group.GROUP.id for group in (mesh_metrics, mesh_trace, mesh_graph)}  # the others show the moment
    mine = {probe.id: probe.action for probe in observed().probes if probe.group in groups}
    assert {name.partition("/")[0] for name in mine} == groups
    theirs = {probe.id: probe.action for probe in other.probes if probe.group in groups}
    assert set(mine) == set(theirs)
    assert all(mine[name] != theirs[name] for name in mine)
    version = verify_objects.mesh_workloads("image", "cafe0001")[0]["spec"]["template"]["metadata"]["labels"]["version"]
    assert version == "cafe0001"


def test_the_traced_requests_are_the_ones_that_are_looked_for() -> None:
    probes = observed().probes
    sent = {header for probe in probes if probe.group == "mesh-mtls" for header in sent_headers(probe.action)}
    for probe in probes:
        if probe.group == "mesh-trace":
            assert isinstance(probe.action, Fetch)
            trace = probe.action.url.rpartition("/")[2]
            assert any(header.startswith(f"traceparent: 00-{trace}-") for header in sent), probe.id
    action = Fetch("http://x/", send=("a: b",))
    assert 'header = "a: b"' in curl_config(1, action)


def sent_headers(action: Any) -> tuple[str, ...]:
    assert isinstance(action, Fetch)
    return action.send


def test_next_commands_of_tenants_and_telemetry() -> None:
    for probe in observed().probes:
        assert next_command(probe, Verdict(False, "x"))


def test_the_collector_gets_an_empty_message_of_grpc() -> None:
    probe = probes_of(mesh_collector.GROUP, raw_observed())["mesh-collector/IPv6/jaeger-collector"]
    assert isinstance(probe.action, Fetch)
    text = batch({7: probe.action})
    assert "C http2-prior-knowledge" in text and 'C data-binary = "@export"' in text and "C dump-header" in text
    assert judge_fetch(probe.action, ANSWERED, ["HTTP/2 200", "grpc-status: 0"], {}).ok
    assert not judge_fetch(probe.action, ANSWERED, ["HTTP/2 200", "grpc-status: 12"], {}).ok


def test_so_many_targets_as_there_are_pods_must_answer() -> None:
    raw = raw_observed()
    raw["services"].append(
        service("istiod-stable", "istio-system", ["10.96.6.1"], [{"name": "https-dns", "port": 15012}])
    )
    raw["slices"].append(
        piece("istiod-stable", "istio-system", ["10.244.2.9", "10.244.3.9"], [("https-dns", 15012, "TCP")])
    )
    wanted = {
        probe.target: probe.action.contains[0]
        for probe in probes_of(scrape_targets.GROUP, raw).values()
        if probe.family == "IPv6" and isinstance(probe.action, Fetch)
    }
    assert (wanted["istiod"], wanted["coredns"], wanted["istio-cni"], wanted["api-server"]) == (
        ',"2"]',
        ',"2"]',
        ',"3"]',
        ',"1"]',
    )


def test_targets_that_went_while_prometheus_did_not_run_count_for_none() -> None:
    """Else every cold boot is red for five minutes: a pod that came back has another address."""
    probes = probes_of(scrape_targets.GROUP, raw_observed()).values()
    asked = [probe.action.url for probe in probes if isinstance(probe.action, Fetch)]
    assert len(asked) > 20 and all("timestamp%28up" in url and "process_start_time_seconds" in url for url in asked)
