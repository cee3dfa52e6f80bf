"""The mesh's groups of the verification: which probes there are, and what passes as an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import objects as verify_objects
from ansible_collections.twinstack.core.plugins.module_utils.verify import parse as verify_parse
from ansible_collections.twinstack.core.plugins.module_utils.verify import plan_mesh, plan_telemetry
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    COUNT_GROUPS,
    FAMILIES,
    GROUPS,
    MESH_GROUPS,
    SEEN_GROUPS,
    TENANT_GROUPS,
    Fetch,
    Known,
    Listens,
    Outside,
    Redirects,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import Request, judge_fetch, judge_redirects
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.report import next_command
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch, curl_config

from tests.unit.module_utils.verify.samples import CLUSTER_IPS, NAMESPACE, NODES, piece, pod, raw_cluster, service

LAB = Outside({"IPv4": "10.66.0.1", "IPv6": "fd66::1"}, 40000)
SPACE = verify_objects.mesh_namespace(NAMESPACE)


def raw_mesh() -> dict[str, Any]:
    """The healthy cluster with a mesh, a pod of it on every worker."""
    raw = raw_cluster()
    raw["mesh_revision"] = "stable"
    for name, number in NODES.items():
        if number > 1:
            item = pod("pod", name, number)
            item["metadata"] |= {"name": f"mesh-{name}", "namespace": SPACE, "labels": {verify_objects.LABEL: "mesh"}}
            raw["pods"].append(item)
    for item in verify_objects.mesh_services():
        name = item["metadata"]["name"]
        port = {"name": "http", "port": 80, "protocol": "TCP"} | ({"nodePort": 31080} if name == "gateway" else {})
        raw["services"].append(service(name, SPACE, CLUSTER_IPS.get(name, ["10.96.9.9", "fd66:96::909"]), [port]))
    return raw


def planned(raw: dict[str, Any], outside: Outside | None = LAB) -> Plan:
    return plan(observe(raw), NAMESPACE, 18080, "", outside)


def test_what_goes_around_a_proxy_cannot_pass() -> None:
    """The header that the caller's own proxy adds is asked for wherever the answer could come without it."""
    todo = [probe for probe in planned(raw_mesh()).probes if probe.group == "mesh-plain"]
    assert todo
    for probe in todo:
        assert isinstance(probe.action, Fetch)
        assert probe.action.contains == (plan_mesh.THROUGH_PROXY,) and probe.action.headers


def test_without_a_mesh_there_is_none_of_its_groups() -> None:
    assert {probe.group for probe in planned(raw_cluster()).probes} == set(GROUPS)


@pytest.mark.parametrize("group", MESH_GROUPS)
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
        if probe.group == group and group == "mesh-rules":
            assert probe.action == Redirects(probe.family)
        elif probe.group == group:
            assert isinstance(probe.action, Fetch)
            if group == "mesh-name":
                assert probe.action.family == probe.family and f"//{probe.target}.{SPACE}.svc." in probe.action.url
            else:
                assert ("[" in probe.action.url) is (probe.family == "IPv6"), probe.id


def test_a_mesh_whose_pods_were_never_made_is_not_small_and_green() -> None:
    raw = raw_mesh()
    raw["pods"] = [item for item in raw["pods"] if item["metadata"]["namespace"] != SPACE]
    todo = planned(raw)
    assert {probe.id for probe in todo.probes} == {probe.id for probe in planned(raw_mesh()).probes}
    for probe in todo.probes:
        if probe.group in set(MESH_GROUPS) - {"mesh-strict"}:
            assert isinstance(probe.action, Known) and not probe.action.ok, probe.id


def test_without_an_outside_the_report_says_so() -> None:
    assert [item.group for item in planned(raw_mesh(), None).skipped] == ["node-port", "egress", "mesh-outside"]


ANSWERED = Request(200, 0, 1.0, "10.244.2.6", "10.96.9.1", 0, 1, "")


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


# --- tenants' gateways, and what was seen -----------------------------------------------------------------------------


def raw_observed() -> dict[str, Any]:
    """The mesh with two tenants, one of them with HTTPS, and Prometheus, Jaeger and Kiali."""
    raw = raw_mesh()
    for number, (name, port) in enumerate(
        (("prometheus", 9090), ("jaeger-query", 16686), ("kiali", 20001), ("jaeger-collector", 4317))
    ):
        ports = [{"name": "http", "port": port, "protocol": "TCP"}]
        raw["services"].append(service(name, "observability", [f"10.96.8.{number}", f"fd66:96::80{number}"], ports))
    http = {"name": "http", "port": 80, "nodePort": 30080}
    https = {"name": "https", "port": 443, "nodePort": 30443}
    foo = service("gateway", "foo", ["10.96.7.1", "fd66:96::701"], [http, https]) | {"certificate": "PEM\n"}
    foo["metadata"]["annotations"] = {"twinstack.core/certificate-host": "foo.example"}
    bar = service("gateway", "bar", ["10.96.7.2", "fd66:96::702"], [http | {"nodePort": 30081}]) | {"certificate": ""}
    shop = service("shop", "foo", ["10.96.7.3", "fd66:96::703"], [{"name": "http", "port": 80, "targetPort": "web"}])
    shop["spec"]["selector"] = {"app": "shop"}
    for number in (1, 2):
        item = pod("pod", "worker1", 2)
        item["metadata"] = {
            "name": f"shop-v1-{number}",
            "namespace": "foo",
            "labels": {"app": "shop", "pod-template-hash": "v1"},
        }
        item["spec"]["containers"] = [{"name": "web", "image": "x", "ports": [{"name": "web", "containerPort": 8081}]}]
        raw["pods"].append(item)
    return raw | {"gateways": [foo, bar], "tenant_services": [foo, bar, shop]}


def observed(outside: Outside | None = LAB) -> Plan:
    return plan(observe(raw_observed()), NAMESPACE, 18080, "", outside, "cafe0001")


def test_tenants_and_what_was_seen_are_probed_alike_in_both_families() -> None:
    todo = [probe for probe in observed().probes if probe.group in (*TENANT_GROUPS, *COUNT_GROUPS, *SEEN_GROUPS)]
    assert {probe.group for probe in todo} == {*TENANT_GROUPS, *COUNT_GROUPS, *SEEN_GROUPS}
    ids = {family: {probe.id.replace(family, "F") for probe in todo if probe.family == family} for family in FAMILIES}
    assert ids["IPv4"] == ids["IPv6"]
    counted = [probe for probe in todo if probe.group == "mesh-count"]
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


@pytest.mark.parametrize("outside", [LAB, None])
def test_every_port_of_every_tenant_is_tried_on_every_node(outside: Outside | None) -> None:
    todo = [probe for probe in observed(outside).probes if probe.group == "tenant-gateway" and probe.family == "IPv6"]
    assert {probe.target for probe in todo} == {"foo-http", "foo-https", "bar-http"}
    ways = 3 if outside else 6
    assert len(todo) == 3 * ways
    assert {probe.runner.partition("/")[0] for probe in todo} == ({"outside"} if outside else {"host"})


def test_https_is_checked_against_the_tenants_own_certificate() -> None:
    probe = next(probe for probe in observed().probes if probe.target == "foo-https" and probe.family == "IPv6")
    assert isinstance(probe.action, Fetch)
    text = batch({7: probe.action})
    assert "A 7 UEVNCg==" in text
    assert 'C url = "https://foo.example:30443/"' in text
    assert 'C connect-to = "::[fd66::11]:30443"' in text
    assert 'C cacert = "authority7"' in text
    assert "insecure" not in text


def test_only_this_verifications_own_traffic_counts() -> None:
    """What an earlier run left in Prometheus, Jaeger or Kiali is no proof."""
    other = plan(observe(raw_observed()), NAMESPACE, 18080, "", LAB, "cafe0002")
    groups = set(SEEN_GROUPS) - {"scrape-targets", "mesh-collector"}  # which are what they are at the moment
    mine = {probe.id: probe.action for probe in observed().probes if probe.group in groups}
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


def test_an_answer_of_a_gateway_without_routes_is_an_answer() -> None:
    action = Fetch("http://x/", codes=plan_telemetry.ANSWERS)
    assert judge_fetch(action, replace(ANSWERED, code=404), [], {}).ok
    verdict = judge_fetch(action, replace(ANSWERED, code=503), [], {})
    assert not verdict.ok
    assert "found HTTP 503" in verdict.detail


def test_next_commands_of_tenants_and_what_was_seen() -> None:
    for probe in observed().probes:
        assert next_command(probe, Verdict(False, "x"))


SOCKET = "   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 65534 0 1 1"
ANY4, ANY6 = "0" * 8, "0" * 32


@pytest.mark.parametrize(
    ("sockets", "only", "families"),
    [
        ({"tcp": [(ANY4, 8081, "0A")]}, "0", {"IPv4"}),
        ({"tcp6": [(ANY6, 8081, "0A")]}, "0", {"IPv4", "IPv6"}),
        ({"tcp6": [(ANY6, 8081, "0A")]}, "1", {"IPv6"}),
        ({"tcp6": [("B80D01200000000067452301EFCDAB89", 8081, "0A")]}, "0", {"IPv6"}),
        ({"tcp": [(ANY4, 8081, "0A")], "tcp6": [(ANY6, 8081, "0A")]}, "1", {"IPv4", "IPv6"}),
        ({"tcp": [(ANY4, 8080, "0A")], "tcp6": [(ANY6, 8081, "01")]}, "0", set()),
        # On loopback nobody else reaches it; an IPv4 address in IPv6's clothes is one of IPv4.
        ({"tcp": [("0100007F", 8081, "0A")], "tcp6": [("0" * 24 + "01000000", 8081, "0A")]}, "0", set()),
        ({"tcp6": [("0" * 16 + "FFFF0000" + "0402F40A", 8081, "0A")]}, "0", {"IPv4"}),
    ],
)
def test_a_program_of_one_family_is_told_by_the_kernels_tables(
    sockets: dict[str, list[tuple[str, int, str]]], only: str, families: set[str]
) -> None:
    """F38: a program on 0.0.0.0 is the program's fault, not the network's."""
    lines = []
    for name in ("tcp", "tcp6"):
        lines.append("  sl  local_address rem_address   st")
        for address, port, state in sockets.get(name, []):
            lines.append(SOCKET.format(address=address, port=port, state=state))
    lines.append(only)
    assert verify_parse.listening_families(lines, 8081) == families
    for family in FAMILIES:
        verdict = verify_parse.judge_listens(Listens(family, 8081), {verify_parse.SOCKETS: lines})
        assert verdict.ok is (family in families)
        if families and family not in families:
            (other,) = families
            assert f"listens on port 8081 in {other} only" in verdict.detail


def test_a_service_of_one_family_asks_for_that_family_alone() -> None:
    raw = raw_observed()
    raw["tenant_services"][-1]["spec"]["ipFamilies"] = ["IPv6"]
    todo = plan(observe(raw), NAMESPACE, 18080, "", LAB, "cafe0001").probes
    assert [probe.family for probe in todo if probe.group == "tenant-listens"] == ["IPv6"]


def test_a_pod_that_was_replaced_is_looked_at_by_its_successor() -> None:
    before = [probe.id for probe in observed().probes if probe.group == "tenant-listens"]
    raw = raw_observed()
    for item in raw["pods"]:
        if item["metadata"]["name"].startswith("shop-"):
            item["metadata"]["name"] += "-next"
    todo = plan(observe(raw), NAMESPACE, 18080, "", LAB, "cafe0001").probes
    assert [probe.id for probe in todo if probe.group == "tenant-listens"] == before


def test_a_pod_whose_tables_cannot_be_read_is_skipped_and_said_to_be() -> None:
    assert verify_parse.judge_listens(Listens("IPv6", 80), {}).skip


def test_the_collector_is_asked_by_an_empty_message_of_grpc() -> None:
    probe = next(probe for probe in observed().probes if probe.group == "mesh-collector" and probe.family == "IPv6")
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
    todo = plan(observe(raw), NAMESPACE, 18080, "", LAB, "cafe0001").probes
    wanted = {
        probe.target: probe.action.contains[0]
        for probe in todo
        if probe.group == "scrape-targets" and probe.family == "IPv6" and isinstance(probe.action, Fetch)
    }
    assert (wanted["istiod"], wanted["coredns"], wanted["istio-cni"], wanted["api-server"]) == (
        ',"2"]',
        ',"2"]',
        ',"3"]',
        ',"1"]',
    )


def test_targets_that_went_while_prometheus_did_not_run_count_for_none() -> None:
    """Else every cold boot is red for five minutes: a pod that came back has another address."""
    asked = [
        probe.action.url
        for probe in observed().probes
        if probe.group == "scrape-targets" and isinstance(probe.action, Fetch)
    ]
    assert len(asked) > 20 and all("timestamp%28up" in url and "process_start_time_seconds" in url for url in asked)
