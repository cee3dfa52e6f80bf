"""What Prometheus scrapes: both families, with every label that Kiali needs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import istio as mesh
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import prometheus_jobs

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS


def relabelled(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str]:
    """Labels after Prometheus' replace rules, whose expressions are anchored."""
    found = dict(labels)
    for rule in rules:
        if rule.get("action", "replace") != "replace":
            continue
        value = ";".join(found.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), value)
        if match:
            found[rule["target_label"]] = match.expand(re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1")))
    return found


def proxies() -> dict[str, Any]:
    """The job that scrapes the mesh's proxies."""
    jobs: list[dict[str, Any]] = prometheus_jobs.prometheus_config(SETTINGS)["scrape_configs"]
    return next(job for job in jobs if job["job_name"] == "proxies")


@pytest.mark.parametrize(
    ("address", "target"), [("10.244.1.4", "10.244.1.4:15090"), ("fd66:244::4", "[fd66:244::4]:15090")]
)
def test_a_pod_of_either_family_is_a_target(address: str, target: str) -> None:
    found = relabelled(proxies()["relabel_configs"], {"__meta_kubernetes_pod_ip": address})
    assert found["__address__"] == target


def test_requests_get_istios_names_and_keep_their_family() -> None:
    labels = {"__name__": "envoy_istio_requests_total", "dwl": "foo-v1;team;foo;v1;Kubernetes", "ip_family": "IPv6"}
    found = relabelled(proxies()["metric_relabel_configs"], labels)
    assert found["__name__"] == "istio_requests_total"
    assert found["destination_workload"] == "foo-v1"
    assert found["destination_workload_namespace"] == "team"
    assert found["destination_canonical_service"] == "foo"
    assert found["destination_canonical_revision"] == "v1"
    assert found["ip_family"] == "IPv6"


def stored(labels: dict[str, str]) -> dict[str, str]:
    """Labels as Prometheus keeps them of a proxy's series: it drops those without a value."""
    rules = proxies()["metric_relabel_configs"]
    drops = [rule["regex"] for rule in rules if rule.get("action") == "labeldrop"]
    found = relabelled(rules, labels)
    return {name: value for name, value in found.items() if value and not any(re.fullmatch(one, name) for one in drops)}


@pytest.mark.parametrize(
    ("given", "packed"),
    [
        (mesh.SOURCE_LABELS, {"dwl": "there;ns;svc;v1;Kubernetes"}),
        (mesh.DESTINATION_LABELS, {}),
    ],
)
def test_kiali_finds_every_label_that_it_queries(given: dict[str, str], packed: dict[str, str]) -> None:
    """Kiali refuses a graph whose series lack one of these (its own list of required telemetry labels)."""
    assert packed.keys() <= given.keys()
    made = stored(dict.fromkeys(given, "x") | packed)
    labels = ("workload", "workload_namespace", "canonical_service", "canonical_revision", "principal", "cluster")
    wanted = {f"{side}_{label}" for side in ("source", "destination") for label in labels}
    wanted |= {f"{side}_{label}" for side in ("source", "destination") for label in ("app", "version")}
    wanted |= {"destination_service", "destination_service_name", "destination_service_namespace"}
    wanted |= {"request_protocol", "response_code", "response_flags", "connection_security_policy", "reporter"}
    assert wanted - made.keys() == set()
    assert not packed.keys() & made.keys()
    for text in packed.values():
        assert [made[f"destination_{label}"] for label in labels[:4]] == text.split(";")[:4]


def test_both_sides_of_a_request_are_kept_with_the_same_labels() -> None:
    source = stored(dict.fromkeys(mesh.SOURCE_LABELS, "x") | {"dwl": "a;b;c;d;e"})
    destination = stored(dict.fromkeys(mesh.DESTINATION_LABELS, "x"))
    assert source.keys() == destination.keys()


def test_what_istios_own_filter_says_of_apps_stays() -> None:
    given = {"source_canonical_service": "canonical", "source_app": "label", "destination_canonical_revision": "v1"}
    found = stored(given)
    assert (found["source_app"], found["destination_version"]) == ("label", "v1")


def job(name: str) -> dict[str, Any]:
    """One of Prometheus' jobs."""
    jobs: list[dict[str, Any]] = prometheus_jobs.prometheus_config(SETTINGS)["scrape_configs"]
    return next(job for job in jobs if job["job_name"] == name)


def test_every_node_is_scraped_over_both_families_all_the_time() -> None:
    found = {
        (item["labels"]["node"], item["labels"]["ip_family"]): item["targets"]
        for item in job("node-families")["static_configs"]
    }
    assert found == {("one", "IPv4"): ["192.0.2.1:10250"], ("one", "IPv6"): ["[2001:db8::1]:10250"]}


@pytest.mark.parametrize(("address", "family"), [("10.96.0.10:9153", "IPv4"), ("[fd66:96::a]:9153", "IPv6")])
def test_a_watched_service_is_labelled_with_the_family_it_is_scraped_by(address: str, family: str) -> None:
    watched = job("service-families")
    assert {(item["names"][0], item["type"], item["port"]) for item in watched["dns_sd_configs"]} == {
        ("kube-dns.kube-system.svc.cluster.local.", record, 9153) for record in ("A", "AAAA")
    }
    labels = {"__meta_dns_name": "kube-dns.kube-system.svc.cluster.local.", "__address__": address}
    found = relabelled(watched["relabel_configs"], labels)
    assert (found["service"], found["ip_family"]) == ("kube-dns.kube-system", family)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("apiserver_request_duration_seconds_bucket", True),
        ("apiserver_client_certificate_expiration_seconds_bucket", True),
        ("apiserver_request_total", True),
        ("apiserver_request_sli_duration_seconds_sum", True),
        ("apiserver_request_sli_duration_seconds_bucket", False),
        ("etcd_request_duration_seconds_bucket", False),
        ("apiserver_watch_events_sizes_bucket", False),
    ],
)
def test_histograms_that_nobody_reads_are_left_out(name: str, kept: bool) -> None:
    assert bool(re.fullmatch(prometheus_jobs.UNREAD, name)) is not kept
