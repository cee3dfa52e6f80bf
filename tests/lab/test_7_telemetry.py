"""Prometheus and Jaeger broken on purpose, one thing at a time; what they had is still there afterwards."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY

from tests.bench.bench import lab_memory
from tests.lab.conftest import ARTIFACTS, PAGES, REPO, Lab
from tests.lab.test_4_mesh import broken

Until = Callable[..., None]
# Istio's standard labels (istio.io: Istio Standard Metrics), ours, and what Prometheus adds of the target.
STANDARD = {
    *(
        f"{side}_{what}"
        for side in ("source", "destination")
        for what in ("workload", "workload_namespace", "principal")
    ),
    *(f"{side}_{what}" for side in ("source", "destination") for what in ("app", "version", "cluster")),
    *(f"{side}_canonical_{what}" for side in ("source", "destination") for what in ("service", "revision")),
    *(f"destination_service{what}" for what in ("", "_name", "_namespace")),
    *("reporter", "request_protocol", "response_code", "response_flags"),
    *("connection_security_policy", "ip_family"),
}
OF_GRPC = {"grpc_response_status"}  # nothing else has it
OF_TARGET = {"__name__", "instance", "job", "namespace", "pod", "node", "app"}
pytestmark = pytest.mark.usefixtures("everything")
JAEGER_TRACES = "jaeger-query:16686/proxy/api/traces"
MOST_SERIES = 200  # of requests, for two tenants, a verification and the scenarios; some 80 were seen


def observe(lab: Lab) -> None:
    """Everything as the inventory says."""
    lab.play("playbooks/observability.yml")


def test_jaeger_without_ipv6_is_reported_in_ipv6_alone(lab: Lab) -> None:
    try:
        for service in ("jaeger-query", "jaeger-collector"):
            assert lab.keep_first_family(OBSERVABILITY, service) == "IPv6"
        found = broken(lab)
    finally:
        observe(lab)
    assert set(found) == {("mesh-trace", "IPv6"), ("mesh-collector", "IPv6")}


def test_no_page_is_on_a_port_of_a_host_and_every_one_is_where_the_docs_say(lab: Lab, until: Until) -> None:
    services = json.loads(lab.kubectl("-n observability get services -o json"))["items"]
    assert services and not [port for item in services for port in item["spec"]["ports"] if "nodePort" in port]
    kubectl = [str(ARTIFACTS / "bin/kubectl"), "--kubeconfig", str(ARTIFACTS / "kubeconfig")]
    lines = re.findall(
        r"^ +kubectl (-n observability port-forward service/\S+ \d+) +# (\S+)$",
        (REPO / "docs/mesh.md").read_text(),
        re.M,
    )
    assert {url.split("/")[2].rpartition(":")[2] for _, url in lines} == {"20001", "9090", "16686"}
    answers = {"9090": "/-/ready", "16686": "/api/services", "20001": "/kiali/healthz"}

    def answered(url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as page:
                return bool(page.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    for words, url in lines:
        port = words.rpartition(" ")[2]
        with subprocess.Popen([*kubectl, *words.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as way:
            try:
                until(lambda port=port: answered(f"http://localhost:{port}{answers[port]}"), 30, url)
            finally:
                way.terminate()


def test_a_service_and_a_node_that_lose_a_family_are_reported_and_raise_an_alert(lab: Lab, until: Until) -> None:
    """Prometheus' own Service without IPv6: a scrape target is gone. A kubelet shut off in IPv6: a target is down."""
    rule = "INPUT -p tcp --dport 10250 -s fd66::12 -j REJECT"  # worker1, which Prometheus is on
    try:
        assert lab.keep_first_family(OBSERVABILITY, "prometheus") == "IPv6"
        until(lambda: "FamilyLostOnService" in lab.alerts(), 90, "an alert about the Service")
        assert ("scrape-targets", "IPv6") in broken(lab), "a target that is gone"
    finally:
        observe(lab)
    until(lambda: "FamilyLostOnService" not in lab.alerts(), 90, "no alert about the Service any more")
    lab.shell("worker2", f"ip6tables -I {rule}")
    try:
        until(lambda: "FamilyLostOnNode" in lab.alerts(), 60, "an alert about the node")
        lost = lab.query('up{job="node-families"} == 0')
        assert {(item["metric"]["node"], item["metric"]["ip_family"]) for item in lost} == {("worker2", "IPv6")}
        found = broken(lab)
    finally:
        lab.shell("worker2", f"ip6tables -D {rule}")
    assert set(found) == {("scrape-targets", "IPv6")}
    until(lambda: "FamilyLostOnNode" not in lab.alerts(), 60, "no alert about the node any more")


def test_a_service_without_servers_raises_an_alert_in_both_families(lab: Lab, until: Until) -> None:
    """Prometheus would go on to show what the cluster had before; only the kernel's own table shows it."""

    def empty() -> set[tuple[str, str]]:
        found = lab.query("twinstack_ipvs_without_real_servers")
        return {(item["metric"]["ip_family"], item["metric"]["node"]) for item in found}

    assert empty() == set()
    ports = [{"name": "http", "port": 80}]
    spec = {"selector": {"app": "nobody"}, "ipFamilyPolicy": "RequireDualStack", "ports": ports}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nobody"}, "spec": spec}
    lab.kubectl(f"-n default apply -f - <<'END'\n{json.dumps(service)}\nEND")
    try:
        nodes = ("worker1", "worker2")
        everywhere = {(family, node) for family in ("IPv4", "IPv6") for node in nodes}
        until(lambda: empty() == everywhere, 90, "the Service in both families on both workers")
        until(lambda: "ServiceWithoutServers" in lab.alerts(), 30, "an alert")
    finally:
        lab.kubectl("-n default delete service nobody")
    until(lambda: empty() == set(), 90, "nothing of it any more")


def test_the_end_of_every_certificate_is_known(lab: Lab) -> None:
    ends = {
        item["metric"]["certificate"]: float(item["value"][1])
        for item in lab.query("twinstack:certificate:end_seconds")
    }
    assert {"etcd-server", "etcd-peer", "apiserver", "etcd-ca", "ca"} <= set(ends)
    assert all(end > time.time() + 100 * 86400 for end in ends.values())


def test_prometheus_killed_in_the_middle_of_a_write_comes_back_with_its_data(lab: Lab, until: Until) -> None:
    pods = "-n observability get pods -l app=prometheus -o jsonpath={.items[0]"
    counted = "count_over_time(up{job='api-server'}[10m])"
    before = float(lab.query(counted)[0]["value"][1])
    node = lab.kubectl(f"{pods}.spec.nodeName}}").strip()
    for _ in range(3):  # at moments of its own
        lab.shell(node, "pkill -KILL --exact prometheus")
        time.sleep(3)
        until(lambda: "true" in lab.kubectl(f"{pods}.status.containerStatuses[0].ready}}"), 120, "Prometheus")
    after = float(lab.query(counted)[0]["value"][1])
    assert after >= 0.7 * before, "samples of before are gone"


def test_traces_on_disk_survive_a_restart_of_jaeger(lab: Lab, until: Until) -> None:
    lab.play("playbooks/observability.yml", "-e", "observability_jaeger_storage=badger")
    try:
        lab.play("playbooks/verify.yml")
        assert lab.failed() == []
        services = json.loads(lab.kubectl(f"get --raw '{PAGES}/jaeger-query:16686/proxy/api/services'"))["data"]
        assert services
        lab.kubectl("-n observability delete pod -l app=jaeger --wait")
        lab.kubectl("-n observability rollout status deployment jaeger --timeout=90s")
        page = f"{PAGES}/jaeger-query:16686/proxy/api/services"
        until(lambda: bool(json.loads(lab.kubectl(f"get --raw '{page}'"))["data"]), 30, "services of before")
    finally:
        observe(lab)


def test_the_whole_stack_is_within_its_memory_and_its_labels(lab: Lab, until: Until) -> None:
    """11 GB for three hosts with everything in them: what their kernels' processes have touched, at most."""
    lab.play("playbooks/scenarios.yml", "-e", "scenarios_run=S3")

    def labels(metric: str) -> set[str]:
        return {name for item in lab.query(metric) for name in item["metric"]} - OF_TARGET - OF_GRPC

    for metric in ("istio_requests_total", "istio_request_duration_milliseconds_count"):
        until(lambda metric=metric: labels(metric) == STANDARD, 60, f"the labels of {metric}")
        assert {item["metric"]["ip_family"] for item in lab.query(metric)} == {"IPv4", "IPv6"}

    def by_namespace(text: str) -> dict[str, float]:
        return {item["metric"].get("namespace", ""): float(item["value"][1]) for item in lab.query(text)}

    head = json.loads(lab.kubectl(f"get --raw {PAGES}/prometheus:9090/proxy/api/v1/status/tsdb"))["data"]["headStats"]
    requests = lab.query("istio_requests_total")
    memory = "sum by (namespace) (container_memory_working_set_bytes{container!=''})"
    cpus = "sum by (namespace) (rate(container_cpu_usage_seconds_total{container!=''}[5m]))"
    figures = {
        "hosts_peak_mib": lab_memory(),
        "containers_working_set_bytes": by_namespace(memory),
        "containers_cpus": by_namespace(cpus),
        "series": head["numSeries"],
        "series_of_requests": len(requests),
    }
    (ARTIFACTS / "stack.json").write_text(json.dumps(figures, indent=2) + "\n")
    assert len(figures["hosts_peak_mib"]) == 3 and sum(figures["hosts_peak_mib"].values()) <= 11 * 1024
    assert 0 < sum(figures["containers_working_set_bytes"].values()) < 6 * 1024**3
    assert len(requests) <= MOST_SERIES
    assert {item["metric"].get("ip_family") for item in requests} == {"IPv4", "IPv6"}
