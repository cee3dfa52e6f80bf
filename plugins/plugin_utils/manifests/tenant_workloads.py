"""What tenants run: their services in every version, quota, limits, and the scope of their proxies. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import DEMO_PORT, ISTIO_SYSTEM, OBSERVABILITY
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import observability, traffic

GATEWAY = "gateway"
QUOTA = {"pods": 30, "services": 12}
# What a pod of the gateway or of a version needs beside the running ones while it is replaced.
SURGE = 1
# Who goes serves on for so long, until no proxy and no host sends it new requests any more.
LINGER_SECONDS = 5
GRACE_SECONDS = 20
# For a user's own image: Kubernetes' own time for a program to end what it has begun, after it has served on.
OWN_GRACE_SECONDS = LINGER_SECONDS + 30
# Kinds of probes, and Kubernetes' fields for them.
PROBES = {"readiness": "readinessProbe", "liveness": "livenessProbe", "startup": "startupProbe"}
NOBODY = 65534

Object = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    """A service of a tenant. image: empty = the demo service's own. versions: one Deployment each.

    probes: by their kind; env, resources: Kubernetes' own fields, which go before the project's.
    """

    name: str
    versions: tuple[str, ...]
    image: str
    port: int
    replicas: int
    probes: Mapping[str, Any] = field(default_factory=dict)
    env: tuple[Mapping[str, Any], ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)


def workloads(item: Mapping[str, Any]) -> list[Workload]:
    """Services of an item of twinstack_tenants."""
    return [
        Workload(
            name=str(one["name"]),
            versions=tuple(str(version) for version in one.get("versions", ["v0.0.1"])),
            image=str(one.get("image", "")),
            port=int(one.get("port", DEMO_PORT)),
            replicas=int(one.get("replicas", 1)),
            probes=dict(one.get("probes", {})),
            env=tuple(one.get("env", [])),
            resources=dict(one.get("resources", {})),
        )
        for one in item.get("services", [])
    ]


def quota(item: Mapping[str, Any]) -> dict[str, int]:
    """How many pods and Services a tenant may have."""
    return QUOTA | {str(key): int(value) for key, value in item.get("quota", {}).items()}


def needed(item: Mapping[str, Any], gateways: int) -> dict[str, int]:
    """How many it has by its inventory, with those that a change makes beside the old ones. gateways: pods of one."""
    services = workloads(item)
    pods = sum(len(one.versions) * (one.replicas + SURGE) for one in services)
    return {"pods": pods + gateways + SURGE, "services": len(services) + 1}


def deployment_name(one: Workload, version: str) -> str:
    """Name of the Deployment of a service's version."""
    return f"{one.name}-{traffic.label(version)}"


def names(tenants: Sequence[Mapping[str, Any]]) -> list[Object]:
    """What to wait for, for the module apply: every Deployment of every tenant."""
    return [
        {
            "api_version": "apps/v1",
            "kind": "Deployment",
            "namespace": str(item["name"]),
            "names": [deployment_name(one, version) for one in workloads(item) for version in one.versions],
        }
        for item in tenants
        if item.get("services")
    ]


def objects(item: Mapping[str, Any], primary_family: str, image: str, resources: Mapping[str, Any]) -> Iterator[Object]:
    """Everything of one tenant that this module is about. image: of the demo service; resources: of a container."""
    space = str(item["name"])
    counts = quota(item)
    yield _object("v1", "ResourceQuota", space, "tenant", {"hard": {key: str(count) for key, count in counts.items()}})
    limit = {"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "10m", "memory": "32Mi"}}
    yield _object("v1", "LimitRange", space, "tenant", {"limits": [limit]})
    reaches = [str(name) for name in item.get("reaches", [])]
    shown = [".", ISTIO_SYSTEM, OBSERVABILITY, *reaches]
    # Without it every proxy gets every Service of the cluster, other tenants' included.
    egress = [{"hosts": [f"{name}/*" for name in shown]}]
    yield _object("networking.istio.io/v1", "Sidecar", space, "default", {"egress": egress})
    if reaches:
        peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}} for name in reaches]
        spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": peers}]}
        yield _object("networking.k8s.io/v1", "NetworkPolicy", space, "reaches", spec)
    for one in workloads(item):
        yield _service(space, one, primary_family)
        for version in one.versions:
            yield _deployment(space, one, version, image, resources)


def _object(api: str, kind: str, namespace: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _service(space: str, one: Workload, primary_family: str) -> Object:
    found = _object(
        "v1",
        "Service",
        space,
        one.name,
        {
            "selector": {"app": one.name},
            "ipFamilyPolicy": "RequireDualStack",
            "ipFamilies": observability.families(primary_family),
            "ports": [{"name": "http", "port": 80, "targetPort": one.port, "protocol": "TCP"}],
        },
    )
    found["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
    return found


def _deployment(space: str, one: Workload, version: str, image: str, resources: Mapping[str, Any]) -> Object:
    labels = {"app": one.name, "version": version}
    secured = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
    env: list[Object] = [
        {"name": "SERVICE", "value": one.name},
        {"name": "VERSION", "value": version},
        {"name": "PORT", "value": str(one.port)},
        {"name": "LINGER", "value": str(LINGER_SECONDS)},
        {"name": "POD", "valueFrom": pod_name},
    ]
    own_names = {given["name"] for given in one.env}
    container: Object = {
        "name": one.name,
        "image": one.image or image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": one.port, "protocol": "TCP"}],
        "env": [*(given for given in env if given["name"] not in own_names), *map(dict, one.env)],
        "resources": {**resources, **one.resources},
        "securityContext": secured,
    }
    if one.image:
        # Nothing else is known of a user's own image, which may have no program that waits.
        container["readinessProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": 5}
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": LINGER_SECONDS}}}
    else:
        ready = {"httpGet": {"path": "/readyz", "port": "http"}}
        # Often while it starts, seldom after: every look costs its proxy and itself time.
        container["startupProbe"] = ready | {"periodSeconds": 1, "failureThreshold": 240}
        container["readinessProbe"] = ready | {"periodSeconds": 10}
        container["livenessProbe"] = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 20}
        container["securityContext"] = secured | {"runAsUser": NOBODY, "runAsGroup": NOBODY}
    container |= {PROBES[kind]: dict(probe) for kind, probe in one.probes.items()}
    return _object(
        "apps/v1",
        "Deployment",
        space,
        deployment_name(one, version),
        {
            "replicas": one.replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": SURGE, "maxUnavailable": 0}},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": OWN_GRACE_SECONDS if one.image else GRACE_SECONDS,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container],
                },
            },
        },
    )


# --- their traffic ----------------------------------------------------------------------------------------------------


def canaries(tenants: Sequence[Mapping[str, Any]]) -> list[Object]:
    """Releases, one for each route, and one for each other service, so that versions are distinct."""
    found = []
    for item in tenants:
        versions = {one.name: list(one.versions) for one in workloads(item)}
        routed = {str(route["service"]) for route in item.get("routes", [])}
        hosts = [str(host) for host in item.get("hosts", ["*"])]
        for route in item.get("routes", []):
            service = str(route["service"])
            more = {key: route[key] for key in ("headers", "match", "weights") if key in route}
            place = {"gateway": GATEWAY, "path": route.get("path", f"/{service}"), "hosts": hosts}
            found.append(
                {"namespace": item["name"], "service": service, "versions": versions[service], **place, **more}
            )
        found += [
            {"namespace": item["name"], "service": name, "versions": listed}
            for name, listed in versions.items()
            if name not in routed
        ]
    return found


def limits(tenants: Sequence[Mapping[str, Any]]) -> list[Object]:
    """Limits of every service with one."""
    found = []
    for item in tenants:
        for one in item.get("services", []):
            if "limit" not in one:
                continue
            limit, name = one["limit"], str(one["name"])
            at = str(limit.get("at", GATEWAY))
            selector = {"istio": f"{item['name']}-{GATEWAY}"} if at == GATEWAY else {"app": name}
            numbers = {"requests": limit["requests"], "seconds": limit.get("seconds", 1)}
            found.append(
                {"namespace": item["name"], "name": name, "selector": selector, "at": at, "route": name, **numbers}
            )
    return found
