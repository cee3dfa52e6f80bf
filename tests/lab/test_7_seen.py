"""Prometheus and Jaeger broken on purpose, one thing at a time; what they had is still there afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.lab.conftest import Lab
from tests.lab.test_4_mesh import broken

Until = Callable[..., None]
PAGES = "/api/v1/namespaces/observability/services"


@pytest.fixture(scope="module", autouse=True)
def with_the_mesh(lab: Lab) -> Iterator[None]:
    """Runs of this module install the mesh; the cluster is there already, or is made."""
    lab.mesh = True
    lab.play("site.yml", "--skip-tags", "verify", timeout=1800)
    yield
    lab.mesh = False


def query(lab: Lab, text: str) -> list[dict[str, Any]]:
    """What Prometheus answers."""
    page = f"{PAGES}/prometheus:9090/proxy/api/v1/query?query={quote(text, safe='')}"
    found: list[dict[str, Any]] = json.loads(lab.kubectl(f"get --raw '{page}'"))["data"]["result"]
    return found


def firing(lab: Lab) -> set[str]:
    """Alerts that are pending or firing."""
    return {item["metric"]["alertname"] for item in query(lab, 'ALERTS{alertname!=""}')}


def observe(lab: Lab) -> None:
    """Everything as the inventory says."""
    lab.play("playbooks/observability.yml")


def test_jaeger_without_ipv6_is_told_in_ipv6_alone(lab: Lab) -> None:
    address = lab.kubectl("-n observability get service jaeger-query -o jsonpath={.spec.clusterIPs[0]}").strip()
    single = {"spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"], "clusterIPs": [address]}}
    lab.kubectl(f"-n observability patch service jaeger-query --type merge -p '{json.dumps(single)}'")
    try:
        found = broken(lab)
    finally:
        observe(lab)
    assert set(found) == {("mesh-trace", "IPv6")}


def test_a_service_and_a_node_that_lose_a_family_are_told_and_raise_an_alert(lab: Lab, until: Until) -> None:
    """Prometheus' own Service without IPv6: a scrape target is gone. A kubelet shut off in IPv6: a target is down."""
    rule = "INPUT -p tcp --dport 10250 -s fd66::12 -j REJECT"  # worker1, which Prometheus is on
    address = lab.kubectl("-n observability get service prometheus -o jsonpath={.spec.clusterIPs[0]}").strip()
    single = {"spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"], "clusterIPs": [address]}}
    lab.kubectl(f"-n observability patch service prometheus --type merge -p '{json.dumps(single)}'")
    try:
        until(lambda: "FamilyLostOnService" in firing(lab), 90, "an alert about the Service")
    finally:
        observe(lab)
    until(lambda: "FamilyLostOnService" not in firing(lab), 90, "no alert about the Service any more")
    lab.shell("worker2", f"ip6tables -I {rule}")
    try:
        until(lambda: "FamilyLostOnNode" in firing(lab), 60, "an alert about the node")
        lost = query(lab, 'up{job="node-families"} == 0')
        assert {(item["metric"]["node"], item["metric"]["ip_family"]) for item in lost} == {("worker2", "IPv6")}
        found = broken(lab)
    finally:
        lab.shell("worker2", f"ip6tables -D {rule}")
    assert set(found) == {("scrape-targets", "IPv6")}
    until(lambda: "FamilyLostOnNode" not in firing(lab), 60, "no alert about the node any more")


def test_the_end_of_every_certificate_is_known(lab: Lab) -> None:
    ends = {
        item["metric"]["certificate"]: float(item["value"][1])
        for item in query(lab, "twinstack:certificate:end_seconds")
    }
    assert {"etcd-server", "etcd-peer", "apiserver", "etcd-ca", "ca"} <= set(ends)
    assert all(end > time.time() + 100 * 86400 for end in ends.values())


def test_prometheus_killed_in_the_middle_of_a_write_comes_back_with_its_data(lab: Lab, until: Until) -> None:
    pods = "-n observability get pods -l app=prometheus -o jsonpath={.items[0]"
    counted = "count_over_time(up{job='api-server'}[10m])"
    before = float(query(lab, counted)[0]["value"][1])
    node = lab.kubectl(f"{pods}.spec.nodeName}}").strip()
    for _ in range(3):  # at moments of its own
        lab.shell(node, "pkill -KILL --exact prometheus")
        time.sleep(3)
        until(lambda: "true" in lab.kubectl(f"{pods}.status.containerStatuses[0].ready}}"), 120, "Prometheus")
    after = float(query(lab, counted)[0]["value"][1])
    assert after >= 0.7 * before, "samples of before are gone"


def test_traces_on_disk_survive_a_restart_of_jaeger(lab: Lab, until: Until) -> None:
    lab.play("playbooks/observability.yml", "-e", "jaeger_storage=badger")
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


def test_the_whole_stack_is_within_its_memory(lab: Lab) -> None:
    """11 GB for three hosts with everything in them: what their kernels' processes have touched, at most."""
    used = query(lab, "sum(container_memory_working_set_bytes{container!=''})")
    assert 0 < float(used[0]["value"][1]) < 6 * 1024**3
