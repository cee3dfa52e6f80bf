"""Whether Deployments become ready, and whether that can still come: what their ReplicaSets and pods say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Object, unready

REVISION = "deployment.kubernetes.io/revision"  # annotation of a Deployment and of each of its ReplicaSets
# Reasons for which a container waits (kubelet: pkg/kubelet/container, images/types.go). The first ones are for good;
# the others may pass: a registry that was away, a ConfigMap that comes later.
FINAL = ("InvalidImageName", "ErrImageNeverPull")
STUCK = ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "CreateContainerConfigError", "CreateContainerError")
CRASHING = "CrashLoopBackOff"
CRASHES = 3  # restarts from which on a container that crashes is not expected to come up any more


@dataclass(frozen=True)
class Trouble:
    """Why a Deployment will not become ready. lasting: whether that is sure at once; else when it is seen for long."""

    text: str
    lasting: bool


def late(deployment: Object | None) -> str:
    """Why a Deployment is not ready; empty when all its pods are of its newest template, and available."""
    if deployment is None:
        return "not there"
    why = unready(deployment, "")
    wanted = int(deployment["spec"].get("replicas", 1))
    available = int(deployment.get("status", {}).get("availableReplicas", 0))
    return why or ("" if available >= wanted else f"{available} of {wanted} available")


def troubles(deployment: Object | None, sets: Iterable[Object], pods: Iterable[Object]) -> list[Trouble]:
    """What keeps a Deployment's newest pods from becoming ready; none while that may only take time.

    sets, pods: ReplicaSets and pods of its namespace, others' among them.
    """
    if deployment is None:
        return [Trouble("not there", lasting=True)]
    status = deployment.get("status", {})
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"].get("generation", 0)):
        return []  # all that can be seen is of an older template
    found = [
        Trouble(_said(condition), lasting=True)
        for condition in status.get("conditions") or []
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
    ]
    newest = [item for item in sets if _owned(item, "Deployment", deployment) and _same_revision(item, deployment)]
    for item in newest:
        found += [
            Trouble(f"no pods: {_said(condition)}", lasting=False)
            for condition in item.get("status", {}).get("conditions") or []
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        ]
    for pod in pods:
        if any(_owned(pod, "ReplicaSet", item) for item in newest) and not pod["metadata"].get("deletionTimestamp"):
            found += _of_pod(pod)
    return found


def _owned(item: Object, kind: str, owner: Object) -> bool:
    place, name = item["metadata"].get("namespace"), owner["metadata"]["name"]
    owners = item["metadata"].get("ownerReferences") or []
    return place == owner["metadata"].get("namespace") and any(
        (one["kind"], one["name"]) == (kind, name) for one in owners
    )


def _same_revision(item: Object, deployment: Object) -> bool:
    revisions = [(one["metadata"].get("annotations") or {}).get(REVISION) for one in (item, deployment)]
    return revisions[0] == revisions[1]


def _of_pod(pod: Object) -> Iterator[Trouble]:
    """What its containers wait for."""
    status = pod.get("status", {})
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (one.get("state") or {}).get("waiting") or {}
        reason, crashes = waiting.get("reason", ""), int(one.get("restartCount", 0))
        where = f"pod {pod['metadata']['name']}: container {one['name']}"
        if reason in FINAL or reason in STUCK:
            yield Trouble(f"{where}: {_said(waiting)}", reason in FINAL)
        elif reason == CRASHING and crashes >= CRASHES:
            ended = ((one.get("lastState") or {}).get("terminated") or {}).get("exitCode", "unknown")
            yield Trouble(f"{where}: {_said(waiting)} ({crashes} restarts, exit status {ended})", lasting=True)


def _said(about: Mapping[str, Any]) -> str:
    return ": ".join(str(about[key]) for key in ("reason", "message") if about.get(key))
