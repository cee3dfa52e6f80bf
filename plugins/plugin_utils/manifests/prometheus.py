"""Prometheus as Kubernetes objects, and the exporter of IPVS' table. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import RESTRICTED
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.alerts import prometheus_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.observability import (
    CONFIG_DIGEST,
    NOBODY,
    PATIENCE,
    Object,
    config_map,
    container_ports,
    deployment,
    reader,
    services,
    storage,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.prometheus_jobs import (
    IPVS_APP,
    prometheus_config,
)

COMPONENT = COMPONENTS["prometheus"]


def ipvs_servers(settings: Mapping[str, Any]) -> list[Object]:
    """The exporter of IPVS virtual servers without real servers, on every worker.

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
        "ports": container_ports(COMPONENT),
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
        deployment(COMPONENT, container, volumes, digest, serviceAccountName="prometheus"),
        *services(COMPONENT, settings["primary_family"]),
        *(ipvs_servers(settings) if settings["ipvs_program"] else []),
    ]
