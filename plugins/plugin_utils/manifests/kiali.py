"""Kiali as Kubernetes objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS, JAEGER, KIALI, PROMETHEUS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.observability import (
    PATIENCE,
    Object,
    config_map,
    container_ports,
    deployment,
    reader,
    services,
)

COMPONENT = COMPONENTS["kiali"]


def kiali(settings: Mapping[str, Any]) -> list[Object]:
    """Kiali, which only reads. settings: image, primary_family, domain, resources, istiod (a control plane's name)."""
    host = f"{OBSERVABILITY}.svc.{settings['domain']}"
    config, digest = config_map(
        "kiali",
        {
            "config.yaml": {
                # No password of its own: it has no port on any node, and who may forward one may read the cluster.
                "auth": {"strategy": "anonymous"},
                "deployment": {"accessible_namespaces": ["**"], "view_only_mode": True, "cluster_wide_access": True},
                "external_services": {
                    "prometheus": {"url": f"http://{PROMETHEUS.name}.{host}:{PROMETHEUS.port}"},
                    "tracing": {
                        "enabled": True,
                        "in_cluster_url": f"http://{JAEGER.name}.{host}:{JAEGER.port}",
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
                "server": {"port": KIALI.port, "web_root": "/kiali"},
            }
        },
    )
    container = {
        "image": settings["image"],
        "args": ["-config", "/kiali-configuration/config.yaml"],
        "ports": container_ports(COMPONENT),
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
        deployment(COMPONENT, container, volumes, digest, serviceAccountName="kiali"),
        *services(COMPONENT, settings["primary_family"]),
    ]
