"""What Prometheus scrapes: prometheus.yml, a job for each kind of target, and which of their series are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import (
    API_SERVER_JOB,
    COREDNS_JOB,
    FELIX_JOB,
    IPVS_JOB,
    ISTIO_CNI_JOB,
    ISTIO_PROXY,
    ISTIOD_JOB,
    KUBELET_JOB,
    NODE_FAMILIES_JOB,
    PODS_JOB,
    PROMETHEUS_JOB,
    PROXIES_JOB,
    SERVICE_FAMILIES_JOB,
)
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, bracketed
from ansible_collections.twinstack.core.plugins.module_utils.observability import PROMETHEUS

KUBELET_PORT = 10250
IPVS_APP = "twinstack-ipvs-servers"
# Histograms of the API server that nobody here reads: 33,000 of the lab's 76,000 series. How long requests take, and
# when certificates of clients end, is kept.
UNREAD = "(etcd_request_duration|apiserver_request_(sli|body)|apiserver_(watch|storage|response))_.*_bucket"
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_TLS = {"ca_file": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", "insecure_skip_verify": True}
# What request_metrics of plugin_utils/manifests/istio.py calls dwl: "workload;namespace;service;revision;cluster".
_PARTS = ("workload", "workload_namespace", "canonical_service", "canonical_revision")

Object = dict[str, Any]


def _address(port: str) -> list[Object]:
    """Rules that make a pod's address and a port a target, IPv6 addresses in brackets."""
    ip = "__meta_kubernetes_pod_ip"
    return [
        {"source_labels": [ip], "regex": "(.*:.*)", "target_label": "__address__", "replacement": f"[$1]:{port}"},
        {"source_labels": [ip], "regex": r"([0-9.]+)", "target_label": "__address__", "replacement": f"$1:{port}"},
    ]


def _names() -> list[Object]:
    """Rules that keep a pod's namespace, name and host."""
    names = {"namespace": "namespace", "pod_name": "pod", "pod_node_name": "node"}
    return [
        {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target} for source, target in names.items()
    ]


def _keep(label: str, regex: str) -> Object:
    return {"source_labels": [f"__meta_kubernetes_{label}"], "regex": regex, "action": "keep"}


def _pods(job: str, app: tuple[str, str], port: str, path: str = "/metrics") -> Object:
    """A job that scrapes the pods with one label. Role pod: one target per pod, whatever its Services' families."""
    return {
        "job_name": job,
        "metrics_path": path,
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [_keep(f"pod_label_{app[0]}", app[1]), *_address(port), *_names()],
    }


def _nodes(job: str, path: str) -> Object:
    """A job that scrapes every kubelet."""
    return {
        "job_name": job,
        "scheme": "https",
        "metrics_path": path,
        "tls_config": dict(_TLS),
        "authorization": {"credentials_file": _TOKEN},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [{"source_labels": ["__meta_kubernetes_node_name"], "target_label": "node"}],
    }


def _node_families(nodes: Sequence[Mapping[str, str]]) -> Object:
    """A job that scrapes every kubelet by both addresses of its host: whether a family is lost on a node.

    nodes: name, ipv4 and ipv6 of each. The page is the smallest that a kubelet has.
    """
    return {
        "job_name": NODE_FAMILIES_JOB,
        "scheme": "https",
        "metrics_path": "/metrics/probes",
        "tls_config": dict(_TLS),
        "authorization": {"credentials_file": _TOKEN},
        "static_configs": [
            {
                "targets": [bracketed(node[family.lower()]) + f":{KUBELET_PORT}"],
                "labels": {"node": node["name"], "ip_family": family},
            }
            for node in nodes
            for family in FAMILIES
        ],
        # The job is about the way; what is at its end is in the other jobs.
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": ".*", "action": "drop"}],
    }


def _service_families(services: Mapping[str, int], domain: str) -> Object:
    """A job that scrapes Services by both of their addresses: whether a family of a Service is lost.

    services: port by ``name.namespace``. DNS gives the addresses, a family at a time, and kube-proxy leads there.
    """
    records = {"IPv4": "A", "IPv6": "AAAA"}
    return {
        "job_name": SERVICE_FAMILIES_JOB,
        "dns_sd_configs": [
            {"names": [f"{name}.svc.{domain}."], "type": record, "port": int(port), "refresh_interval": "15s"}
            for name, port in services.items()
            for record in records.values()
        ],
        "relabel_configs": [
            {"source_labels": ["__meta_dns_name"], "regex": r"([^.]+\.[^.]+)\..*", "target_label": "service"},
            *(
                {
                    "source_labels": ["__address__"],
                    "regex": regex,
                    "target_label": "ip_family",
                    "replacement": family,
                }
                for family, regex in (("IPv4", r"[0-9.]+:\d+"), ("IPv6", r"\[.*"))
            ),
        ],
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": ".*", "action": "drop"}],
    }


def _itself() -> Object:
    """A job for when Prometheus started, what it needs and how much it keeps; its page has hundreds of other lines."""
    read = "process_(start_time_seconds|resident_memory_bytes|cpu_seconds_total)|prometheus_tsdb_head_series"
    return {
        "job_name": PROMETHEUS_JOB,
        "static_configs": [{"targets": [f"localhost:{PROMETHEUS.port}"]}],
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": read, "action": "keep"}],
    }


def prometheus_config(settings: Mapping[str, Any]) -> Object:
    """prometheus.yml.

    settings: interval between two scrapes, like ``15s``, and cluster_interval for kubelets, the API server, Felix and
    CoreDNS; nodes; domain; watched_services.
    """
    interval = settings["interval"]
    parts = [
        {
            "source_labels": ["dwl"],
            "regex": ";".join(["([^;]*)"] * 5),
            "target_label": f"destination_{part}",
            "replacement": f"${number}",
        }
        for number, part in enumerate(_PARTS, 1)
    ]
    # Istio's own filter says these too, by the labels app and version; then they stay as they are.
    named = [
        {
            "source_labels": [f"{side}_{canonical}", f"{side}_{name}"],
            "regex": "(.+);",
            "target_label": f"{side}_{name}",
        }
        for side in ("source", "destination")
        for canonical, name in (("canonical_service", "app"), ("canonical_revision", "version"))
    ]
    proxies = {
        "job_name": PROXIES_JOB,
        "metrics_path": "/stats/prometheus",
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [
            {
                # An init container where Kubernetes starts sidecars itself, a container where it is a gateway.
                "source_labels": ["__meta_kubernetes_pod_container_name"],
                "regex": ISTIO_PROXY,
                "action": "keep",
            },
            *_address("15090"),
            *_names(),
        ],
        "metric_relabel_configs": [
            {"source_labels": ["__name__"], "regex": "envoy_(istio_.*)", "target_label": "__name__"},
            *parts,
            *named,
            {"regex": "dwl", "action": "labeldrop"},
        ],
    }
    api_server = {
        "job_name": API_SERVER_JOB,
        "scheme": "https",
        "tls_config": {"ca_file": _TLS["ca_file"]},
        "authorization": {"credentials_file": _TOKEN},
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": ["default"]}}],
        "relabel_configs": [
            _keep("service_name", "kubernetes"),
            {"source_labels": ["__meta_kubernetes_endpointslice_port_name"], "regex": "https", "action": "keep"},
        ],
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": UNREAD, "action": "drop"}],
    }
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": ["/etc/prometheus/rules.yml"],
        "scrape_configs": [
            proxies,
            _pods(ISTIOD_JOB, ("app", "istiod"), "15014"),
            _pods(ISTIO_CNI_JOB, ("k8s_app", "istio-cni-node"), "15014"),
            # Long pages, which cost their exporters more than they change.
            *(
                job | {"scrape_interval": settings["cluster_interval"]}
                for job in (
                    _pods(COREDNS_JOB, ("k8s_app", "kube-dns"), "9153"),
                    _nodes(KUBELET_JOB, "/metrics"),
                    _nodes(PODS_JOB, "/metrics/resource"),
                    _pods(FELIX_JOB, ("k8s_app", "calico-node"), "9091"),
                    api_server,
                )
            ),
            *([_pods(IPVS_JOB, ("app", IPVS_APP), str(settings["ipvs_port"]))] if settings["ipvs_program"] else []),
            _itself(),
            _node_families(settings["nodes"]),
            _service_families(settings["watched_services"], settings["domain"]),
        ],
    }
