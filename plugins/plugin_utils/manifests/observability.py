"""Prometheus, Jaeger and Kiali as Kubernetes objects, all of them reachable in both families.

Their Services ask for both families; the programs are Go and listen on both with one wildcard socket.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import RESTRICTED
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.prometheus_jobs import (
    IPVS_APP,
    NODE_FAMILIES,
    PROMETHEUS_PORT,
    SERVICE_FAMILIES,
    prometheus_config,
)

NAMESPACE = "observability"
JAEGER_QUERY_PORT = 16686
OTLP_PORT = 4317
KIALI_PORT = 20001
NOBODY = 65534
PATIENCE = {"periodSeconds": 5, "timeoutSeconds": 5}  # a busy host is no reason to take a page away
# increase() misses the first refusal: the series begins with it, and what a series begins with is no increase. So a
# series that was not there ten minutes ago counts too, unless it is Prometheus that was not there.
REJECTS = "sum by (instance) (pilot_total_xds_rejects"
WATCHED_THEN = 'up{job="istiod"} offset 10m == 1 or time() - process_start_time_seconds{job="istiod"} < 600'
REJECTED = (
    "sum by (instance) (increase(pilot_total_xds_rejects[10m])) > 0"
    f" or ({REJECTS}) > 0 unless {REJECTS} offset 10m)) and on (instance) ({WATCHED_THEN})"
)
CERTIFICATE_END = "twinstack:certificate:end_seconds"
CONFIG_DIGEST = "twinstack.core/config"  # a changed configuration makes a new pod

Object = dict[str, Any]


def families(primary_family: str) -> list[str]:
    """Both families in the API's spelling, the primary one first. primary_family: ipv4 or ipv6."""
    return ["IPv4", "IPv6"] if primary_family == "ipv4" else ["IPv6", "IPv4"]


def _meta(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": NAMESPACE, "labels": {"app": name}, **more}


def namespace() -> Object:
    """The namespace of all three; nothing in it needs any privilege."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def service(name: str, app: str, ports: Mapping[str, int], primary_family: str) -> Object:
    """A Service in both families. ports: by name, the same inside and outside the pod."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(name),
        "spec": {
            "selector": {"app": app},
            "ipFamilyPolicy": "RequireDualStack",
            "ipFamilies": families(primary_family),
            "ports": [
                {"name": key, "port": port, "targetPort": port, "protocol": "TCP"} for key, port in ports.items()
            ],
        },
    }


def deployment(name: str, container: Object, volumes: Sequence[Object], digest: str, **pod: Any) -> Object:
    """One pod that runs as nobody in particular, without any privilege, its file system read-only."""
    container = {
        "name": name,
        "imagePullPolicy": "IfNotPresent",
        **container,
        "securityContext": {**RESTRICTED, **container.get("securityContext", {})},
    }
    labels = {"app": name, "sidecar.istio.io/inject": "false"}
    template = {
        "metadata": {"labels": labels, "annotations": {CONFIG_DIGEST: digest}},
        "spec": {"containers": [container], "volumes": list(volumes), "enableServiceLinks": False, **pod},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(name),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # two of them would write to one storage
            "selector": {"matchLabels": {"app": name}},
            "template": template,
        },
    }


def config_map(name: str, files: Mapping[str, Any]) -> tuple[Object, str]:
    """A ConfigMap of YAML files, and a digest of what is in it."""
    data = {key: yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False) for key, value in files.items()}
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name), "data": data}, digest


def reader(name: str, rules: Sequence[Object]) -> list[Object]:
    """A service account and what it may read in the whole cluster."""
    full = f"twinstack-{name}"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": full}
    api = "rbac.authorization.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name)},
        {"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": full}, "rules": list(rules)},
        {
            "apiVersion": api,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": full},
            "roleRef": role,
            "subjects": [subject],
        },
    ]


# --- Prometheus -----------------------------------------------------------------------------------------------


def _certificates(ends: Mapping[str, str]) -> list[Object]:
    """Ends of the control planes' certificates as series, because nothing in a cluster tells those of etcd.

    ends: RFC 3339 times by name. They are as of the last run; the next one reads them again.
    """
    return [
        {
            "record": CERTIFICATE_END,
            "expr": f"vector({int(datetime.fromisoformat(end).timestamp())})",
            "labels": {"certificate": name},
        }
        for name, end in sorted(ends.items())
    ]


def prometheus_rules(certificates: Mapping[str, str]) -> Object:
    """rules.yml: sums that pages ask for, and what is wrong with a dual-stack mesh. certificates: see _certificates."""
    by = "source_workload, destination_service_name, destination_service_namespace, response_code, ip_family"
    recorded = [
        {
            "record": "twinstack:requests:rate1m",
            "expr": f"sum by ({by}) (rate(istio_requests_total[1m]))",
        }
    ]
    alerts = [
        {
            "alert": "ConfigurationRejected",
            "expr": REJECTED,
            "labels": {"severity": "critical"},
            "annotations": {"summary": "a proxy refused what istiod sent: istioctl proxy-status names it"},
        },
        {
            "alert": "FamilyLostOnNode",
            "expr": f'up{{job="{NODE_FAMILIES}"}} == 0',
            "for": "1m",
            "labels": {"severity": "critical"},
            "annotations": {"summary": "{{ $labels.node }} does not answer over {{ $labels.ip_family }}"},
        },
        {
            "alert": "FamilyLostOnService",
            # Either there is no real server behind the address, which IPVS refuses, or no address in DNS.
            "expr": f'up{{job="{SERVICE_FAMILIES}"}} == 0 '
            f'or label_replace(count by (service) (up{{job="{SERVICE_FAMILIES}"}}) < 2, "ip_family", "one", "", "")',
            "for": "1m",
            "labels": {"severity": "critical"},
            "annotations": {
                "summary": "Service {{ $labels.service }} does not answer over {{ $labels.ip_family }} of its "
                "families: kubectl get endpointslices -A; on any host: ipvsadm -Ln"
            },
        },
        {
            "alert": "ServiceWithoutServers",
            "expr": "count by (protocol, address, port, ip_family) (twinstack_ipvs_without_real_servers)",
            "for": "2m",
            "labels": {"severity": "warning"},
            "annotations": {
                "summary": "{{ $labels.protocol }} {{ $labels.address }} port {{ $labels.port }} has no real server on "
                "{{ $value }} hosts: kubectl get services,endpointslices -A; on any host: ipvsadm -Ln"
            },
        },
        {
            "alert": "CertificateExpires",
            "expr": f"{CERTIFICATE_END} - time() < 30 * 86400",
            "labels": {"severity": "critical"},
            "annotations": {
                "summary": "{{ $labels.certificate }} ends within 30 days: kubeadm certs renew all, then site.yml again"
            },
        },
        {
            "alert": "FamilyWithoutRequests",
            "expr": "count by (destination_service_name) (sum by (destination_service_name, ip_family) "
            "(rate(istio_requests_total[30m]) > 0)) == 1",
            "for": "30m",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "{{ $labels.destination_service_name }} is asked in one IP family only"},
        },
        {
            "alert": "MeshRootCertificateExpires",
            "expr": "min(citadel_server_root_cert_expiry_timestamp) - time() < 30 * 86400",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "the mesh's root certificate ends within 30 days"},
        },
        {
            "alert": "KubeletCertificateExpires",
            "expr": "kubelet_certificate_manager_client_ttl_seconds < 7 * 86400",
            "for": "1h",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "the kubelet of {{ $labels.node }} has a certificate for less than 7 days"},
        },
        {
            "alert": "ClientCertificateExpires",
            "expr": "histogram_quantile(0.01, sum by (le) "
            "(rate(apiserver_client_certificate_expiration_seconds_bucket[1h]))) < 7 * 86400",
            "for": "1h",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "somebody asks the API server with a certificate for less than 7 days"},
        },
        {
            "alert": "TargetDown",
            "expr": "up == 0",
            "for": "5m",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "{{ $labels.job }} does not answer on {{ $labels.instance }}"},
        },
    ]
    return {"groups": [{"name": "twinstack", "rules": [*recorded, *_certificates(certificates), *alerts]}]}


def ipvs_servers(settings: Mapping[str, Any]) -> list[Object]:
    """What tells of IPVS virtual servers without real servers, on every worker.

    settings: ipvs_program (its text), ipvs_image (with a Python), ipvs_port (of every worker, in both families).
    Control planes have the same table by the same kube-proxy, and not the image.
    """
    meta = {"name": IPVS_APP, "namespace": "kube-system", "labels": {"app": IPVS_APP}}
    digest = hashlib.sha256(settings["ipvs_program"].encode()).hexdigest()
    container = {
        "name": "ipvs-servers",
        "image": settings["ipvs_image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", "/etc/ipvs/ipvs_servers.py", str(settings["ipvs_port"])],
        "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": RESTRICTED | {"runAsUser": NOBODY, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "program", "mountPath": "/etc/ipvs"}],
    }
    expression = {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    pod = {
        "hostNetwork": True,  # the table is that of a network, and the pods' own one has none
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
        "containers": [container],
        "volumes": [{"name": "program", "configMap": {"name": IPVS_APP}}],
    }
    labels = {"app": IPVS_APP}
    template = {"metadata": {"labels": labels, "annotations": {CONFIG_DIGEST: digest}}, "spec": pod}
    program = {"ipvs_servers.py": settings["ipvs_program"]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": program},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]


def prometheus(settings: Mapping[str, Any]) -> list[Object]:
    """All of Prometheus.

    settings: image, primary_family, interval, cluster_interval, retention_time, retention_size, resources,
    node (where its storage is),
    storage (that folder), nodes (name, ipv4, ipv6 of each), domain, watched_services (port by ``name.namespace``),
    certificates (end by name), and those of ipvs_servers; an empty ipvs_program = kube-proxy uses no IPVS.
    """
    config, digest = config_map(
        "prometheus",
        {
            "prometheus.yml": prometheus_config(settings),
            "rules.yml": prometheus_rules(settings["certificates"]),
        },
    )
    container = {
        "image": settings["image"],
        "args": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={settings['retention_time']}",
            f"--storage.tsdb.retention.size={settings['retention_size']}",
        ],
        "ports": [{"name": "http", "containerPort": PROMETHEUS_PORT}],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": "http"}, **PATIENCE},
        "resources": dict(settings["resources"]),
        "securityContext": {"runAsUser": NOBODY, "runAsGroup": NOBODY},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/prometheus", "readOnly": True},
            {"name": "storage", "mountPath": "/prometheus"},
        ],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "prometheus"}},
        {"name": "storage", "persistentVolumeClaim": {"claimName": "prometheus"}},
    ]
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "services", "endpoints", "pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
        {"nonResourceURLs": ["/metrics", "/metrics/probes"], "verbs": ["get"]},
    ]
    return [
        *reader("prometheus", rules),
        config,
        *storage("prometheus", settings["node"], settings["storage"], settings["storage_size"]),
        deployment("prometheus", container, volumes, digest, serviceAccountName="prometheus"),
        service("prometheus", "prometheus", {"http": PROMETHEUS_PORT}, settings["primary_family"]),
        *(ipvs_servers(settings) if settings["ipvs_program"] else []),
    ]


def storage(name: str, node: str, path: str, size: str) -> list[Object]:
    """A folder of one host as a volume: the pod goes where its data is."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    full = f"twinstack-{name}"
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": full},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": full,
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": name},
                "local": {"path": path},
                "nodeAffinity": affinity,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": _meta(name),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": full,
                "volumeName": full,
                "resources": {"requests": {"storage": size}},
            },
        },
    ]


def certificate_ends(text: str) -> dict[str, str]:
    """Ends of certificates by name, from the JSON of ``kubeadm certs check-expiration``; none without a text.

    Raises ValueError for a text that is not it.
    """
    if not text:
        return {}
    try:
        found = json.loads(text)
        listed = [*found["certificates"], *found["certificateAuthorities"]]
        return {item["name"]: item["expirationDate"] for item in listed if not item.get("missing")}
    except (KeyError, TypeError) as error:
        raise ValueError(f"kubeadm certs check-expiration: found no {error}, expected its JSON") from error


# --- Jaeger ---------------------------------------------------------------------------------------------------


def jaeger(settings: Mapping[str, Any]) -> list[Object]:
    """Jaeger in one program.

    settings: image, primary_family, max_traces, resources, storage: ``memory`` (the newest traces, a restart forgets
    them) or ``badger`` (in a folder of one host, for as long as retention says); node, path, size: of that folder.
    """
    keeps = settings["storage"] == "badger"
    environment = {"COLLECTOR_OTLP_ENABLED": "true"}
    mounts: list[Object] = [{"name": "scratch", "mountPath": "/tmp"}]
    volumes: list[Object] = [{"name": "scratch", "emptyDir": {}}]
    if keeps:
        environment |= {
            "SPAN_STORAGE_TYPE": "badger",
            "BADGER_EPHEMERAL": "false",
            "BADGER_DIRECTORY_KEY": "/badger/key",
            "BADGER_DIRECTORY_VALUE": "/badger/data",
            "BADGER_SPAN_STORE_TTL": settings["retention"],
        }
        mounts.append({"name": "storage", "mountPath": "/badger"})
        volumes.append({"name": "storage", "persistentVolumeClaim": {"claimName": "jaeger"}})
    container = {
        "image": settings["image"],
        "args": [] if keeps else [f"--memory.max-traces={settings['max_traces']}"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [
            {"name": "grpc-otlp", "containerPort": OTLP_PORT},
            {"name": "http-query", "containerPort": JAEGER_QUERY_PORT},
        ],
        "readinessProbe": {"httpGet": {"path": "/", "port": 14269}, **PATIENCE},
        "resources": dict(settings["resources"]),
        "securityContext": {"runAsUser": NOBODY, "runAsGroup": NOBODY},
        "volumeMounts": mounts,
    }
    family = settings["primary_family"]
    return [
        *(storage("jaeger", settings["node"], settings["path"], settings["size"]) if keeps else []),
        deployment("jaeger", container, volumes, "none", automountServiceAccountToken=False),
        service("jaeger-collector", "jaeger", {"grpc-otlp": OTLP_PORT}, family),
        service("jaeger-query", "jaeger", {"http-query": JAEGER_QUERY_PORT}, family),
    ]


# --- Kiali ----------------------------------------------------------------------------------------------------


def kiali(settings: Mapping[str, Any]) -> list[Object]:
    """Kiali, which only reads. settings: image, primary_family, domain, resources, istiod (a control plane's name)."""
    host = f"{NAMESPACE}.svc.{settings['domain']}"
    config, digest = config_map(
        "kiali",
        {
            "config.yaml": {
                # No password of its own: it has no port on any node, and who may forward one may read the cluster.
                "auth": {"strategy": "anonymous"},
                "deployment": {"accessible_namespaces": ["**"], "view_only_mode": True, "cluster_wide_access": True},
                "external_services": {
                    "prometheus": {"url": f"http://prometheus.{host}:{PROMETHEUS_PORT}"},
                    "tracing": {
                        "enabled": True,
                        "in_cluster_url": f"http://jaeger-query.{host}:{JAEGER_QUERY_PORT}",
                        "use_grpc": False,
                    },
                    "grafana": {"enabled": False},
                    "istio": {
                        "root_namespace": "istio-system",
                        "istiod_deployment_name": settings["istiod"],
                        "config_map_name": settings["istiod"].replace("istiod", "istio", 1),
                        "component_status": {"enabled": False},
                    },
                },
                "istio_namespace": "istio-system",
                "server": {"port": KIALI_PORT, "web_root": "/kiali"},
            }
        },
    )
    container = {
        "image": settings["image"],
        "args": ["-config", "/kiali-configuration/config.yaml"],
        "ports": [{"name": "http", "containerPort": KIALI_PORT}],
        "readinessProbe": {"httpGet": {"path": "/kiali/healthz", "port": "http"}, **PATIENCE},
        "resources": dict(settings["resources"]),
        "securityContext": {"runAsUser": 1000},
        "volumeMounts": [
            {"name": "config", "mountPath": "/kiali-configuration", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},
        ],
    }
    read = ["get", "list", "watch"]
    groups = ["networking.istio.io", "security.istio.io", "extensions.istio.io", "telemetry.istio.io"]
    rules = [
        {
            "apiGroups": [""],
            "resources": [
                "configmaps",
                "endpoints",
                "namespaces",
                "nodes",
                "pods",
                "pods/log",
                "replicationcontrollers",
            ],
            "verbs": read,
        },
        {"apiGroups": [""], "resources": ["services", "pods/proxy", "services/proxy"], "verbs": read},
        {
            "apiGroups": ["apps", "batch", "extensions"],
            "resources": ["daemonsets", "deployments", "replicasets", "statefulsets", "cronjobs", "jobs"],
            "verbs": read,
        },
        {"apiGroups": [*groups, "gateway.networking.k8s.io"], "resources": ["*"], "verbs": read},
        {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"], "verbs": read},
    ]
    volumes = [{"name": "config", "configMap": {"name": "kiali"}}, {"name": "scratch", "emptyDir": {}}]
    return [
        *reader("kiali", rules),
        config,
        deployment("kiali", container, volumes, digest, serviceAccountName="kiali"),
        service("kiali", "kiali", {"http": KIALI_PORT}, settings["primary_family"]),
    ]
