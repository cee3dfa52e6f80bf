"""Moving the workloads of a namespace to the revision of the mesh that the namespace names, or to its newest build.

Pure but for `Cluster`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ansible_collections.twinstack.core.plugins.module_utils.istio.builds import CONTROL_PLANES, injected, outdated
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import revision_of
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object, key_of

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
MANAGER = "twinstack-rollout"  # owner of that annotation
RESTARTED = "twinstack.core/revision"  # annotation whose change makes new pods


class Cluster(Protocol):
    """What this needs of `client.Client`."""

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind."""

    def merge(self, key: Key, patch: Mapping[str, Any], manager: str) -> Object:
        """JSON merge patch."""


def selected(pod: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    """Whether a pod belongs to a workload, by the workload's labels."""
    labels = pod["metadata"].get("labels") or {}
    wanted = workload["spec"]["selector"].get("matchLabels") or {}
    return bool(wanted) and all(labels.get(name) == value for name, value in wanted.items())


def behind(
    workloads: Iterable[Object], pods: Iterable[Object], revision: str, builds: Mapping[str, str]
) -> list[Object]:
    """Workloads in the mesh with a pod of another revision or of an earlier build, in the order of their names.

    builds: what each revision injects, as of `builds.injected`.
    """
    late = [pod for pod in pods if revision_of(pod) not in ("", revision) or outdated(pod, builds)]
    return _of_pods(workloads, late)


def _of_pods(workloads: Iterable[Object], pods: Iterable[Object]) -> list[Object]:
    """The workloads that any of these pods is of, in the order of their names."""
    some = list(pods)
    ordered = sorted(workloads, key=lambda item: (item["kind"], item["metadata"]["name"]))
    return [workload for workload in ordered if any(selected(pod, workload) for pod in some)]


def builds_of(cluster: Cluster) -> dict[str, str]:
    """The image that each revision injects, by revision."""
    return injected(cluster.list("v1", "ConfigMap", CONTROL_PLANES))


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
    late = behind(_workloads(cluster, namespace), _here(cluster, namespace, "v1", "Pod"), revision, builds_of(cluster))
    return _restart_all(cluster, late, revision, wait, dry_run)


def renew_all(
    cluster: Cluster,
    namespace: str,
    pods: Iterable[Object],
    revision: str,
    wait: Callable[[Key], list[str]],
    ready: Callable[[Object], list[str]],
    dry_run: bool,
) -> tuple[list[str], list[str]]:
    """Make new pods for every workload of these pods, as `move_all` does.

    pods: those of an earlier build; revision: theirs, which stays; ready: why a workload's new pods would not be of the
    newest build yet. Nothing is restarted then.
    """
    return _restart_all(cluster, _of_pods(_workloads(cluster, namespace), pods), revision, wait, dry_run, ready)


def _workloads(cluster: Cluster, namespace: str) -> list[Object]:
    return [item for kind in KINDS for item in _here(cluster, namespace, "apps/v1", kind)]


def _restart_all(
    cluster: Cluster,
    workloads: Iterable[Object],
    revision: str,
    wait: Callable[[Key], list[str]],
    dry_run: bool,
    ready: Callable[[Object], list[str]] = lambda workload: [],
) -> tuple[list[str], list[str]]:
    """Names of the workloads that got new pods, in this order, and what went wrong with the last one."""
    moved: list[str] = []
    for workload in workloads:
        key = key_of(workload)
        if not dry_run and (why := ready(workload)):
            return moved, why
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
    """Pods that still have another proxy than the revision's newest, or are on their way out: names; empty = none."""
    builds = builds_of(cluster)
    return sorted(
        pod["metadata"]["name"]
        for pod in _here(cluster, namespace, "v1", "Pod")
        if pod["metadata"].get("deletionTimestamp") or revision_of(pod) not in ("", revision) or outdated(pod, builds)
    )
