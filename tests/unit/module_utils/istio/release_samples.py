"""A mesh that can lose requests: an API server, Deployments, and proxies that take every change one look too late."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.filter import traffic
from ansible_collections.twinstack.core.plugins.module_utils.istio import proxies, release_rollout
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.modules import istio_release
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads

from tests.unit.kube_server import State

DOMAIN = "cluster.local"
API = "/apis/networking.istio.io/v1/namespaces/shop"
RULE, MESH, GATEWAY = (
    f"{API}/{name}" for name in ("destinationrules/basket", "virtualservices/basket", "virtualservices/gateway-routes")
)
HOST = f"basket.shop.svc.{DOMAIN}"
SYSTEM: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
KINDS = {
    "apps/v1": {"Deployment": ("deployments", True), "ReplicaSet": ("replicasets", True)},
    "networking.istio.io/v1": {
        "DestinationRule": ("destinationrules", True),
        "VirtualService": ("virtualservices", True),
    },
}


class EndedError(Exception):
    """The module came to its end."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result)
        self.result = result


class Module:
    """What the module's code uses of AnsibleModule."""

    def __init__(self, params: dict[str, Any], check_mode: bool) -> None:
        self.params, self.check_mode = params, check_mode

    def warn(self, warning: str) -> None:
        """Say nothing."""

    def exit_json(self, **result: Any) -> None:
        """End well."""
        raise EndedError(result)

    def fail_json(self, msg: str, **result: Any) -> None:
        """End with a failure."""
        raise EndedError(result | {"failed": True, "msg": msg})


def tenant(*versions: str, weights: dict[str, int] | None = None, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Tenant shop with service basket, none without versions, and more services of one version."""
    services = [{"name": "basket", "versions": list(versions)}] if versions else []
    routes: list[dict[str, Any]] = [{"service": one["name"]} for one in services]
    routes[0:1] = [route | ({"weights": weights} if weights else {}) for route in routes[0:1]]
    services += [{"name": name, "versions": ["v1"]} for name in more]
    return {"name": "shop", "http_port": 30080, "services": services, "routes": routes + [{"service": n} for n in more]}


def deployment(name: str, ready: bool = True) -> dict[str, Any]:
    """A Deployment of one pod."""
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
    status |= {"readyReplicas": 1, "availableReplicas": 1} if ready else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "generation": 1,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {"replicas": 1},
        "status": status,
    }


def owned(kind: str, name: str, by: tuple[str, str], status: dict[str, Any], revision: str = "1") -> dict[str, Any]:
    """A ReplicaSet or pod of somebody."""
    metadata: dict[str, Any] = {"name": name, "namespace": "shop"}
    metadata["ownerReferences"] = [{"kind": by[0], "name": by[1]}]
    metadata["annotations"] = {"deployment.kubernetes.io/revision": revision}
    version = "v1" if kind == "Pod" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "status": status}


def waiting(reason: str, message: str = "", restarts: int = 0) -> dict[str, Any]:
    """Status of a pod whose container basket waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "basket", "state": state, "restartCount": restarts}]}


def proxy_pod(name: str, **metadata: Any) -> dict[str, Any]:
    """A pod whose proxy runs, as a sidecar of Kubernetes."""
    status = {"initContainerStatuses": [{"name": "istio-proxy", "state": {"running": {}}}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        **{"status": status},
    }


class World:
    """The server's state, and what proxies have taken of it.

    A proxy answers what it has, and takes what is there now after it has answered. lost: what would have failed after
    each write: routes of a proxy that lead to a subset without a cluster or a ready pod. stuck: proxies that take
    nothing any more.
    """

    def __init__(self, served: tuple[State, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state, self.kubeconfig = served
        self.state.kinds |= KINDS
        self.state.changed = lambda path: self.check(path)
        self.views: dict[str, tuple[set[str], set[str]]] = {}
        self.lost: list[str] = []
        self.asked: list[str] = []
        self.stuck: set[str] = set()
        for space in ("shop", "kube-system"):
            self.state.objects[f"/api/v1/namespaces/{space}"] = {**SYSTEM, "metadata": {"name": space}}
        monkeypatch.setattr(release_rollout, "POLL_SECONDS", 0.01)
        monkeypatch.setattr(Client, "execute", lambda _self, where, command, *_more: self.execute(where, command))

    def put(self, *items: dict[str, Any]) -> None:
        """Objects that somebody else made."""
        plurals = {"Deployment": "apis/apps/v1", "ReplicaSet": "apis/apps/v1", "Pod": "api/v1"}
        for item in items:
            root, name = plurals[item["kind"]], item["metadata"]["name"]
            self.state.objects[f"/{root}/namespaces/shop/{item['kind'].lower()}s/{name}"] = item
            if item["kind"] == "Pod" and name.startswith("proxy"):
                self.take(name)

    def _now(self) -> tuple[set[str], set[str]]:
        """Clusters and routes of the configuration as it is."""
        clusters, routes = {f"outbound|80||{HOST}"}, set()
        for item in self.state.objects.values():
            if item["kind"] == "DestinationRule":
                clusters |= {
                    proxies.cluster(item["spec"]["host"], 80, one["name"]) for one in item["spec"].get("subsets") or []
                }
            elif item["kind"] == "VirtualService":
                routes |= {
                    proxies.cluster(one["destination"]["host"], 80, one["destination"]["subset"])
                    for rule in item["spec"]["http"]
                    for one in rule["route"]
                    if one.get("weight") != 0
                }
        return clusters, routes

    def take(self, name: str) -> None:
        """A proxy takes what is there."""
        self.views[name] = self._now()
        self.check(f"proxy {name}")

    def ready(self, cluster: str) -> bool:
        """Whether a cluster's version has pods that are ready."""
        _, _, subset, host = cluster.split("|")
        path = f"/apis/apps/v1/namespaces/shop/deployments/{host.partition('.')[0]}-{subset}"
        return bool(self.state.objects.get(path, {}).get("status", {}).get("readyReplicas"))

    def check(self, after: str) -> None:
        """Note every request that would be lost now."""
        for name, (clusters, routes) in self.views.items():
            bad = sorted(one for one in routes if one not in clusters or not self.ready(one))
            self.lost += [f"{name} after {after}: {one}" for one in bad]

    def execute(self, where: tuple[str, str, str], command: list[str]) -> str:
        """What a proxy answers."""
        space, name, container = where
        assert (space, container) == ("shop", "istio-proxy")
        self.asked.append(f"{name} {command[-1].partition('?')[0]}")
        clusters, routes = self.views[name]
        if name not in self.stuck:
            with self.state.lock:
                self.take(name)
        if command == proxies.ROUTES:
            return json.dumps({"configs": [{"route_config": {"virtual_hosts": [{"cluster": one} for one in routes]}}]})
        lines = ["BlackHoleCluster::default_priority::max_connections::1"]
        for one in sorted(clusters):
            lines.append(f"{one}::added_via_api::true")
            if self.ready(one):
                lines.append(f"{one}::[fd00::1]:8080::health_flags::healthy")
        return "\n".join(lines)

    def release(self, item: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module for a tenant; what it returns."""
        listed = filters_of(item)
        params: dict[str, Any] = {"kubeconfig": str(self.kubeconfig), "context": None, "apply_set": "canary"}
        params["namespaces"] = None
        params |= {"timeout": 5.0, "proxies_timeout": 5.0, **listed, **more}
        self.state.log.clear()
        self.asked.clear()
        with pytest.raises(EndedError) as ended:
            istio_release.run(Module(params, check))
        return ended.value.result

    def writes(self) -> list[str]:
        """What was changed in the last run, in order: method and the object's kind and name."""
        return [
            f"{line.split()[0]} {'/'.join(line.rsplit('/', 2)[-2:])}"
            for line in self.state.log
            if "configmaps" not in line
        ]

    def subsets(self) -> list[str]:
        """Subsets of basket."""
        return [one["name"] for one in self.state.objects[RULE]["spec"]["subsets"]]

    def routed(self, path: str = MESH) -> list[str]:
        """Subsets that a VirtualService leads to."""
        rules = self.state.objects[path]["spec"]["http"]
        return [one["destination"]["subset"] for rule in rules for one in rule["route"]]


def filters_of(item: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the module, as role tenants makes them."""
    return {
        "objects": traffic.canary_objects(tenant_workloads.canaries([item]), DOMAIN),
        "deployments": traffic.tenant_deployments([item]),
    }
