"""What the objects of Prometheus, Jaeger and Kiali are made of, all of them reachable in both families.

Their Services request both families; the programs are Go and listen on both with one wildcard socket.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.contract import (
    OBSERVABILITY,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import RESTRICTED
from ansible_collections.twinstack.core.plugins.module_utils.observability import Component

NOBODY = 65534
PATIENCE = {"periodSeconds": 5, "timeoutSeconds": 5}  # a busy host is no reason to take a page away
CONFIG_DIGEST = "twinstack.core/config"  # a changed configuration makes a new pod
Object = dict[str, Any]


def families(primary_family: str) -> list[str]:
    """Both families in the API's spelling, the primary one first. primary_family: ipv4 or ipv6."""
    return ["IPv4", "IPv6"] if primary_family == "ipv4" else ["IPv6", "IPv4"]


def _meta(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": OBSERVABILITY, "labels": {"app": name}, **more}


def namespace() -> Object:
    """The namespace of all three; nothing in it needs any privilege."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OBSERVABILITY, "labels": labels}}


def services(component: Component, primary_family: str) -> list[Object]:
    """The Services of a component in both families."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _meta(place.name),
            "spec": {
                "selector": {"app": component.deployment},
                "ipFamilyPolicy": "RequireDualStack",
                "ipFamilies": families(primary_family),
                "ports": [{"name": key, "port": place.port, "targetPort": place.port, "protocol": "TCP"}],
            },
        }
        for key, place in component.services.items()
    ]


def container_ports(component: Component) -> list[Object]:
    """The ports that the component's container listens on."""
    return [{"name": key, "containerPort": place.port} for key, place in component.services.items()]


def deployment(component: Component, container: Object, volumes: Sequence[Object], digest: str, **pod: Any) -> Object:
    """One pod that runs as nobody in particular, without any privilege, its file system read-only."""
    name = component.deployment
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
    subject = {"kind": "ServiceAccount", "name": name, "namespace": OBSERVABILITY}
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
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": OBSERVABILITY,
                    "name": name,
                },
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
