"""Questions to Prometheus, Jaeger and Kiali."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.observability import (
    COLLECTOR,
    KIALI,
    PROMETHEUS,
    ServicePort,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Known, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope
from ansible_collections.twinstack.core.plugins.module_utils.verify.telemetry import query, question

from tests.unit.module_utils.verify.samples import NAMESPACE, raw_cluster, raw_mesh, raw_observed


def asked(raw: dict[str, Any], family: str = "IPv6", where: ServicePort = KIALI) -> list[Probe]:
    scope = Scope(observe(raw), NAMESPACE, 18080, "", None)
    return list(question(scope, "g", family, "what", "a title", where, "/page", ("found",)))


def stop(raw: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The cluster in which pods of this name wait."""
    for item in raw["pods"]:
        if item["metadata"]["name"].startswith(prefix):
            item["status"] = {"phase": "Pending"}
    return raw


def test_a_question_goes_to_the_services_address_of_the_family_from_a_plain_pod() -> None:
    for family, host in (("IPv4", "10.96.8.2"), ("IPv6", "[fd66:96::802]")):
        (probe,) = asked(raw_observed(), family)
        assert probe.action == Fetch(f"http://{host}:20001/page", contains=("found",))
        assert (probe.id, probe.runner) == (f"g/{family}/what", "pod/worker1")


def test_only_the_collector_gets_a_message_of_grpc() -> None:
    for where in (COLLECTOR, KIALI, PROMETHEUS):
        (probe,) = asked(raw_observed(), "IPv4", where)
        assert isinstance(probe.action, Fetch)
        assert probe.action.export is (where == COLLECTOR)


def test_nothing_is_asked_where_it_is_not_installed_or_without_a_mesh() -> None:
    assert asked(raw_mesh()) == []
    raw = raw_observed()
    without_mesh = raw_cluster() | {"services": raw["services"]}
    assert asked(without_mesh) == []


def test_a_service_without_an_address_of_the_family_is_a_failed_probe_there_alone() -> None:
    raw = raw_observed()
    (kiali,) = (item for item in raw["services"] if item["metadata"]["name"] == "kiali")
    kiali["spec"]["clusterIPs"].pop()
    (six,), (four,) = asked(raw, "IPv6"), asked(raw, "IPv4")
    assert six.action == Known(False, "not tried: kiali has no IPv6 address")
    assert isinstance(four.action, Fetch)


def test_without_a_running_pod_in_the_mesh_there_is_nothing_to_be_seen() -> None:
    (probe,) = asked(stop(raw_observed(), "mesh-"))
    assert probe.action == Known(False, "not tried: no pod in the mesh runs")
    (probe,) = asked(stop(raw_observed(), "mesh-worker1"))
    assert isinstance(probe.action, Fetch)


def test_another_pod_asks_where_the_first_does_not_run() -> None:
    (probe,) = asked(stop(raw_observed(), "pod-worker1"))
    assert probe.runner == "pod/worker2"


def test_prometheus_gets_its_own_language_with_nothing_left_to_be_misread() -> None:
    scope = Scope(observe(raw_observed()), NAMESPACE, 18080, "", None)
    (probe,) = query(scope, "g", "IPv4", "what", "a title", 'sum(up{job="a"}) + 1', ',"1"]')
    assert probe.action == Fetch(
        "http://10.96.8.0:9090/api/v1/query?query=sum%28up%7Bjob%3D%22a%22%7D%29%20%2B%201", contains=(',"1"]',)
    )
