"""A small mesh as the API shows it, and controllers that make new pods, for the tests of Istio at work."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.istio import revision_rollout
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import INJECTED
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL

from tests.unit.kube_server import State

WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
PLURALS = WORKLOADS | {
    "Pod": "pods",
    "Namespace": "namespaces",
    "ConfigMap": "configmaps",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
}
IMAGE = "registry.example/istio/proxyv2:1"


def path_of(item: dict[str, Any]) -> str:
    """Where the API has an object."""
    version, metadata = item["apiVersion"], item["metadata"]
    space = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}{space}/{PLURALS[item['kind']]}/{metadata['name']}"


def workload(kind: str, name: str, namespace: str = "foo") -> dict[str, Any]:
    """A workload whose controller is done with it."""
    status = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
    if kind == "DaemonSet":
        status = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}}},
        "status": status | {"observedGeneration": 1},
    }


def pod(
    app: str, revision: str, namespace: str = "foo", name: str = "", phase: str = "Running", image: str = IMAGE
) -> dict[str, Any]:
    """A pod of a workload. revision: empty = without a proxy; image: the proxy's."""
    annotations = {INJECTED: json.dumps({"revision": revision})} if revision else {}
    metadata = {"name": name or f"{app}-{revision}", "namespace": namespace, "labels": {"app": app, "more": "1"}}
    metadata |= {"annotations": annotations}
    proxies = [{"name": "istio-proxy", "image": image}] if revision else []
    spec = {"initContainers": proxies, "containers": [{"name": "web", "image": "web"}], "nodeName": "worker1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase}}


def injector(revision: str, tag: str = "1", hub: str = "registry.example/istio") -> dict[str, Any]:
    """The ConfigMap of a revision's injector."""
    values = {"global": {"hub": hub, "tag": tag, "proxy": {"image": "proxyv2"}}}
    metadata = {
        "name": f"istio-sidecar-injector-{revision}",
        "namespace": "istio-system",
        "labels": {"istio.io/rev": revision, "operator.istio.io/component": "Pilot"},
    }
    data = {"values": json.dumps(values), "config": "templates: {}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def namespace(name: str, ours: bool = True, **labels: str) -> dict[str, Any]:
    """A namespace. labels: with _ for what a name cannot hold: istio_io_rev, istio_injection."""
    spelled = {"istio_io_rev": "istio.io/rev", "istio_injection": "istio-injection"}
    found = {spelled[label]: value for label, value in labels.items()}
    found |= {APPLY_SET_LABEL: "tenants"} if ours else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": found}}


def tag(name: str, revision: str) -> dict[str, Any]:
    """The webhook of a tag."""
    metadata = {"name": f"istio-revision-tag-{name}", "labels": {"istio.io/tag": name, "istio.io/rev": revision}}
    api = "admissionregistration.k8s.io/v1"
    return {"apiVersion": api, "kind": "MutatingWebhookConfiguration", "metadata": metadata}


class Controllers:
    """Play what makes new pods of a namespace's revision when a workload's template changes.

    broken: workloads that never become ready; image: what istiod injects.
    """

    def __init__(self, state: State, revision: str) -> None:
        self.state, self.revision, self.image = state, revision, IMAGE
        self.broken: set[str] = set()
        self.templates: dict[str, Any] = {}
        state.changed = self.changed

    def add(self, *items: dict[str, Any]) -> None:
        """Put objects there."""
        for item in items:
            self.state.objects[path_of(item)] = item
            self.templates[path_of(item)] = item.get("spec", {}).get("template")

    def pods(self) -> set[str]:
        """Names of the pods that are there."""
        return {item["metadata"]["name"] for item in self.state.objects.values() if item["kind"] == "Pod"}

    def changed(self, path: str) -> None:
        """Act on a change."""
        item = self.state.objects[path]
        if item["kind"] not in WORKLOADS or item["spec"]["template"] == self.templates[path]:
            return
        self.templates[path] = item["spec"]["template"]
        item["metadata"]["generation"] += 1
        name = item["metadata"]["name"]
        if name in self.broken:
            return
        item["status"]["observedGeneration"] += 1
        space = item["metadata"]["namespace"]
        for old in [one for one in self.state.objects.values() if one["kind"] == "Pod"]:
            if old["metadata"]["namespace"] == space and revision_rollout.selected(old, item):
                self.state.stays[path_of(old)] = 2
                old["metadata"]["deletionTimestamp"] = "2026-11-24T06:00:00Z"
        self.add(pod(name, self.revision, space, image=self.image))
