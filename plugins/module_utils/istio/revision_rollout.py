"""Moving the workloads of a namespace to the revision of the mesh that the namespace names. Pure but for `Cluster`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object, key_of

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
INJECTED = "sidecar.istio.io/status"  # annotation in which the injector records what it did
FINISHED = ("Succeeded", "Failed")  # phases of a pod that runs no more, such as a job's or an evicted one
MANAGER = "twinstack-rollout"  # owner of that annotation
RESTARTED = "twinstack.core/revision"  # annotation whose change makes new pods


class Cluster(Protocol):
    """What this needs of `client.Client`."""

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind."""

    def merge(self, key: Key, patch: Mapping[str, Any], manager: str) -> Object:
        """JSON merge patch."""


def revision_of(pod: Mapping[str, Any]) -> str:
    """The revision whose proxy a pod got; empty when it has none, or runs no more."""
    if (pod.get("status") or {}).get("phase") in FINISHED:
        return ""
    annotations = pod["metadata"].get("annotations") or {}
    try:
        return str(json.loads(annotations.get(INJECTED, "{}")).get("revision", ""))
    except ValueError:
        return ""


def selected(pod: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    """Whether a pod belongs to a workload, by the workload's labels."""
    labels = pod["metadata"].get("labels") or {}
    wanted = workload["spec"]["selector"].get("matchLabels") or {}
    return bool(wanted) and all(labels.get(name) == value for name, value in wanted.items())


def behind(workloads: Iterable[Object], pods: Iterable[Object], revision: str) -> list[Object]:
    """Workloads in the mesh with a pod of another revision, in the order of their names."""
    found = []
    everything = list(pods)
    for workload in sorted(workloads, key=lambda item: (item["kind"], item["metadata"]["name"])):
        revisions = {revision_of(pod) for pod in everything if selected(pod, workload)} - {""}
        if revisions - {revision}:
            found.append(workload)
    return found


def _here(cluster: Cluster, namespace: str, api_version: str, kind: str) -> list[Object]:
    """Objects of a kind in the namespace."""
    return [item for item in cluster.list(api_version, kind) if item["metadata"].get("namespace") == namespace]


def _marked(mark: str | None) -> Object:
    """A patch that changes the pods' template; None takes the mark away."""
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: mark}}}}}


def move_all(
    cluster: Cluster, namespace: str, revision: str, wait: Callable[[Key], list[str]], dry_run: bool
) -> tuple[list[str], list[str]]:
    """Make new pods for every workload that is behind, one workload after the other.

    wait: returns why a workload is not ready in time. Returns what was moved, and what went wrong; the first workload
    that does not become ready ends it and goes back to its former pods, so that everything keeps serving.
    """

    workloads = [item for kind in KINDS for item in _here(cluster, namespace, "apps/v1", kind)]
    moved: list[str] = []
    for workload in behind(workloads, _here(cluster, namespace, "v1", "Pod"), revision):
        key = key_of(workload)
        moved.append(str(key))
        if dry_run:
            continue
        # Never what is there already, as after a move that was taken back by other means: that would make no new pods.
        mark = f"{revision}-{workload['metadata'].get('generation', 0)}"
        before = (workload["spec"]["template"]["metadata"].get("annotations") or {}).get(RESTARTED)
        cluster.merge(key, _marked(mark), MANAGER)
        late = wait(key)
        if late:
            # The former template: its pods, which still serve, stay, and those that do not start go.
            cluster.merge(key, _marked(before), MANAGER)
            return moved, [*late, f"{key}: its former template is back, with the pods that serve"]
    return moved, []


def outside(cluster: Cluster, namespace: str) -> list[str]:
    """Running pods without a proxy: who opted out, or was started before its namespace was in the mesh."""
    return sorted(
        pod["metadata"]["name"]
        for pod in _here(cluster, namespace, "v1", "Pod")
        if not revision_of(pod)
        and pod["status"].get("phase") == "Running"
        and not pod["metadata"].get("deletionTimestamp")
    )


def settled(cluster: Cluster, namespace: str, revision: str) -> list[str]:
    """Pods that still have another revision's proxy or are on their way out: names; empty when all moved."""
    return sorted(
        pod["metadata"]["name"]
        for pod in _here(cluster, namespace, "v1", "Pod")
        if pod["metadata"].get("deletionTimestamp") or revision_of(pod) not in ("", revision)
    )
