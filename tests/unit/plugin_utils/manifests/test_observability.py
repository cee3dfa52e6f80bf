"""Prometheus, Jaeger and Kiali as objects: in both families, without privileges, with every label that Kiali needs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import istio as mesh
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import observability, prometheus_jobs

SETTINGS: dict[str, Any] = {
    "image": "example.org/x:1",
    "primary_family": "ipv4",
    "interval": "15s",
    "cluster_interval": "30s",
    "retention_time": "7d",
    "retention_size": "4GB",
    "resources": {"limits": {"memory": "1Gi"}},
    "node": "worker1",
    "storage": "/var/lib/twinstack/prometheus",
    "storage_size": "5Gi",
    "max_traces": 100,
    "domain": "cluster.local",
    "istiod": "istiod-blue",
    "nodes": [{"name": "one", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}],
    "watched_services": {"kube-dns.kube-system": 9153},
    "certificates": {},
    "path": "/srv/traces",
    "size": "2Gi",
    "retention": "72h",
    "ipvs_program": "print()\n",
    "ipvs_image": "example.org/python:1",
    "ipvs_port": 9254,
}
MAKERS = (observability.prometheus, observability.jaeger, observability.kiali)


def objects(**changes: Any) -> list[dict[str, Any]]:
    """Everything, with changed settings."""
    return [item for maker in MAKERS for item in maker(SETTINGS | changes)]


@pytest.mark.parametrize(("primary", "expected"), [("ipv4", ["IPv4", "IPv6"]), ("ipv6", ["IPv6", "IPv4"])])
def test_every_service_has_both_families(primary: str, expected: list[str]) -> None:
    services = [item for item in objects(primary_family=primary) if item["kind"] == "Service"]
    assert {item["metadata"]["name"] for item in services} == {
        "prometheus", "jaeger-collector", "jaeger-query", "kiali",
    }  # fmt: skip
    for item in services:
        assert (item["spec"]["ipFamilyPolicy"], item["spec"]["ipFamilies"]) == ("RequireDualStack", expected)
        assert "type" not in item["spec"], "no port on any host"


def test_no_pod_needs_more_than_the_namespace_allows() -> None:
    assert observability.namespace()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = [item["spec"]["template"]["spec"] for item in objects() if item["kind"] == "Deployment"]
    assert len(pods) == 3
    for pod in pods:
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and context["runAsUser"] > 0
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_a_changed_configuration_makes_a_new_pod() -> None:
    def digest(**changes: Any) -> str:
        (found,) = [item for item in observability.prometheus(SETTINGS | changes) if item["kind"] == "Deployment"]
        return str(found["spec"]["template"]["metadata"]["annotations"][observability.CONFIG_DIGEST])

    assert digest() == digest()
    assert digest() != digest(interval="5s")


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
    """The job that looks at the mesh's proxies."""
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
    """Labels as Prometheus keeps them of what a proxy tells: it drops those without a value."""
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
def test_kiali_finds_every_label_that_it_asks_for(given: dict[str, str], packed: dict[str, str]) -> None:
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


def test_kiali_asks_the_control_plane_that_it_was_told() -> None:
    (config,) = [item for item in observability.kiali(SETTINGS) if item["kind"] == "ConfigMap"]
    istio = yaml.safe_load(config["data"]["config.yaml"])["external_services"]["istio"]
    assert (istio["istiod_deployment_name"], istio["config_map_name"]) == ("istiod-blue", "istio-blue")


def test_rules_are_whole() -> None:
    (group,) = observability.prometheus_rules({"etcd-server": "2027-11-25T00:00:00Z"})["groups"]
    for rule in group["rules"]:
        assert rule["expr"]
        assert ("record" in rule) != ("alert" in rule and bool(rule["annotations"]["summary"]))


def job(name: str) -> dict[str, Any]:
    """One of Prometheus' jobs."""
    jobs: list[dict[str, Any]] = prometheus_jobs.prometheus_config(SETTINGS)["scrape_configs"]
    return next(job for job in jobs if job["job_name"] == name)


def test_every_node_is_asked_over_both_families_all_the_time() -> None:
    found = {
        (item["labels"]["node"], item["labels"]["ip_family"]): item["targets"]
        for item in job("node-families")["static_configs"]
    }
    assert found == {("one", "IPv4"): ["192.0.2.1:10250"], ("one", "IPv6"): ["[2001:db8::1]:10250"]}


@pytest.mark.parametrize(("address", "family"), [("10.96.0.10:9153", "IPv4"), ("[fd66:96::a]:9153", "IPv6")])
def test_a_watched_service_tells_which_of_its_families_it_is_asked_by(address: str, family: str) -> None:
    watched = job("service-families")
    assert {(item["names"][0], item["type"], item["port"]) for item in watched["dns_sd_configs"]} == {
        ("kube-dns.kube-system.svc.cluster.local.", record, 9153) for record in ("A", "AAAA")
    }
    labels = {"__meta_dns_name": "kube-dns.kube-system.svc.cluster.local.", "__address__": address}
    found = relabelled(watched["relabel_configs"], labels)
    assert (found["service"], found["ip_family"]) == ("kube-dns.kube-system", family)


def test_the_end_of_etcds_certificate_is_a_series() -> None:
    text = json.dumps(
        {
            "certificates": [
                {"name": "etcd-server", "expirationDate": "2027-11-25T00:00:00Z"},
                {"name": "x", "missing": True},
            ],
            "certificateAuthorities": [{"name": "etcd-ca", "expirationDate": "2035-11-25T00:00:00Z"}],
        }
    )
    ends = observability.certificate_ends(text)
    assert ends == {"etcd-server": "2027-11-25T00:00:00Z", "etcd-ca": "2035-11-25T00:00:00Z"}
    (group,) = observability.prometheus_rules(ends)["groups"]
    (rule,) = [one for one in group["rules"] if one.get("labels", {}).get("certificate") == "etcd-server"]
    assert rule["expr"] == "vector(1827100800)"
    assert observability.certificate_ends("") == {}
    with pytest.raises(ValueError, match="certificateAuthorities"):
        observability.certificate_ends('{"certificates": []}')


@pytest.mark.parametrize("storage", ["memory", "badger"])
def test_traces_are_kept_in_memory_or_in_a_folder(storage: str) -> None:
    objects = observability.jaeger(SETTINGS | {"storage": storage})
    volumes = [item for item in objects if item["kind"] == "PersistentVolume"]
    (pod,) = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    (container,) = pod["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    keeps = storage == "badger"
    assert environment.get("SPAN_STORAGE_TYPE") == ("badger" if keeps else None)
    assert [item["spec"]["local"]["path"] for item in volumes] == (["/srv/traces"] if keeps else [])
    assert ("/badger" in [item["mountPath"] for item in container["volumeMounts"]]) is keeps
    assert bool(container["args"]) is not keeps


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


def test_without_ipvs_nothing_looks_at_its_table() -> None:
    def about(settings: dict[str, Any]) -> list[str]:
        made = [item["metadata"]["name"] for item in observability.prometheus(settings)]
        jobs = [job["job_name"] for job in prometheus_jobs.prometheus_config(settings)["scrape_configs"]]
        return [name for name in (*made, *jobs) if "ipvs" in name]

    assert about(SETTINGS) == ["twinstack-ipvs-servers", "twinstack-ipvs-servers", "ipvs"]
    assert about(SETTINGS | {"ipvs_program": ""}) == []
