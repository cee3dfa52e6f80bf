"""What can no longer come true while something is waited for: nodes that died, a way to the API that is closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import (
    API_ERRORS,
    CONNECTION_ERRORS,
    RefusedError,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path as path_of

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NODES = "/api/v1/nodes"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
# A kubelet renews its node's Lease every 10 s. The sum of it all is below 30 s: a look comes at most POLL late, asks
# begin while the Lease is not yet too old, and two of them take ANSWER each.
POLL_SECONDS = 2.0
SUSPECT_SECONDS = 12.0  # a Lease this old has missed a renewal: its node is asked
SILENT_SECONDS = 20.0  # a busy host renews late, so that age alone says nothing
ANSWER_SECONDS = 5.0
FAILURES = 2  # in a row
CLOSED_SECONDS = 10.0  # the SSH tunnel has waited 15 s for the control plane before it ends
UNREACHED = "error trying to reach service"  # the API server's own words when it cannot connect to a kubelet
#: Kinds that say in their status how many pods they want.
COUNTED = ("DaemonSet", "Deployment", "StatefulSet")
AGAIN = "boot the host or look at its console, then the same command again, which goes on"


class Nodes(Protocol):
    """What this module needs of `client.Client`."""

    @property
    def server(self) -> str:
        """The API server's URL."""

    def get(self, key: Key) -> Object | None:
        """The object, None when there is none."""

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind."""

    def items(self, path: str, selector: str = "") -> Sequence[Object]:
        """All objects at a path."""

    def text(self, path: str, query: Mapping[str, str] | None = None, seconds: float = ANSWER_SECONDS) -> str:
        """What a path answers as plain text."""


class Gate:
    """Whether the way to the API is closed for good: its end on this machine, an SSH tunnel, is not there any more.

    Nothing opens it again before the module ends. A server elsewhere that refuses connections may be restarting.
    """

    def __init__(self, server: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._local = urlsplit(server).hostname in ("127.0.0.1", "::1", "localhost")
        self._clock = clock
        self._since: float | None = None

    def answered(self) -> None:
        """A request came through."""
        self._since = None

    def closed(self, error: Exception) -> bool:
        """Whether it has been closed for some time, by the error of the request that was just made."""
        if not self._local or "refused" not in str(error):
            self._since = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since >= CLOSED_SECONDS


class Watch:
    """Looks after the nodes while something is waited for. Never raises; knows nothing where it may not look.

    A node is gone when both hold, because a busy host is late with either: its Lease has not been renewed for
    SILENT_SECONDS while other nodes' were, and the API server cannot connect to its kubelet, twice in a row. A node
    that has never had a Lease is joining, not gone.
    """

    def __init__(self, cluster: Nodes, lost: Collection[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """Look from now on. lost: nodes that are known to be lost, and not waited for."""
        self._cluster = cluster
        self._lost = frozenset(lost)
        self._clock = clock
        self._gate = Gate(cluster.server, clock)
        self._due = clock()
        self._renewed: dict[str, tuple[str, float]] = {}  # what a node's Lease said, and since when as seen from here
        self._failed: dict[str, list[str]] = {}  # how the last asks of a node failed
        self._control_plane: list[str] = []

    def in_vain(self, waiting: Sequence[Key]) -> list[str]:
        """Findings, a line each, about what the wait would wait for in vain; looks only when a look is due.

        waiting: what is not ready yet.
        """
        if self._clock() < self._due:
            return []
        try:
            return self._look(waiting)
        except (RefusedError, ValueError):
            return []
        except CONNECTION_ERRORS as error:
            return [self._unreachable(error, waiting)] if self._gate.closed(error) else []
        finally:
            self._due = self._clock() + POLL_SECONDS

    def _look(self, waiting: Sequence[Key]) -> list[str]:
        silent = self._silent()
        if not self._control_plane:
            found = self._cluster.items(NODES, CONTROL_PLANE)
            self._control_plane = sorted(node["metadata"]["name"] for node in found)
        asked = {name for name, words in self._failed.items() if len(words) >= FAILURES}
        self._ask([name for name, seconds in silent.items() if seconds >= SUSPECT_SECONDS and name not in asked])
        if not any(len(words) >= FAILURES for words in self._failed.values()):
            return []
        silent = self._silent()  # asking took its time
        gone = {
            name: silent[name]
            for name, words in sorted(self._failed.items())
            if len(words) >= FAILURES and silent.get(name, 0.0) >= SILENT_SECONDS
        }
        lines = []
        for name, seconds in gone.items():
            needing = [key for key in waiting if self._needs(key, name)]
            if needing:
                lines.append(dead_node(name, seconds, self._failed[name][-1], needing).line())
        return lines

    def _silent(self) -> dict[str, float]:
        """For how many seconds each node's Lease has not been renewed; none when no Lease is, which says nothing.

        By this machine's clock from the first look on, and against the newest Lease for what was before.
        """
        leases = self._cluster.items(LEASES)
        self._gate.answered()
        now = self._clock()
        times: dict[str, float] = {}
        for lease in leases:
            name, renewed = lease["metadata"]["name"], str((lease.get("spec") or {}).get("renewTime") or "")
            if not renewed:
                continue
            times[name] = datetime.fromisoformat(renewed).timestamp()
            if self._renewed.get(name, ("", 0.0))[0] != renewed:
                self._renewed[name] = (renewed, now)
                self._failed.pop(name, None)
        newest = max(times.values(), default=0.0)
        silent = {name: max(now - self._renewed[name][1], newest - at) for name, at in times.items()}
        return silent if min(silent.values(), default=SUSPECT_SECONDS) < SUSPECT_SECONDS else {}

    def _ask(self, names: Sequence[str]) -> None:
        """Ask kubelets whether they live, all at once."""
        if not names:
            return
        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            answers = list(pool.map(lambda name: unanswered(self._cluster, name), names))
        for name, words in zip(names, answers, strict=True):
            self._failed[name] = [*self._failed.get(name, []), words] if words else []

    def _needs(self, key: Key, node: str) -> bool:
        """Whether what is waited for cannot be ready without the node.

        Without a node that is lost only what has no pod elsewhere: it gets others, but not for minutes.
        """
        if key.kind == "Node":
            return node not in self._lost and key.name in ("", node)
        if key.kind not in (*COUNTED, "Pod"):
            return False
        found = [self._cluster.get(key)] if key.name else self._cluster.list(key.api_version, key.kind)
        items = [item for item in found if item is not None]
        pods = items if key.kind == "Pod" else [pod for item in items for pod in pods_of(self._cluster, item)]
        if node in self._lost and key.kind != "Pod":
            return key.kind != "DaemonSet" and bool(pods) and all(on(pod, self._lost) for pod in pods)
        return any(on(pod, (node,)) for pod in pods)

    def _unreachable(self, error: Exception, waiting: Sequence[Key]) -> str:
        names = ", ".join(self._control_plane) or "control plane"
        found = f"no way to the API any more ({' '.join(str(error).split())})"
        return Finding(names, "SSH tunnel", found, f"it open until there is {_names(waiting)}", AGAIN).line()


def unanswered(cluster: Nodes, name: str) -> str:
    """How the API server failed to connect to a node's kubelet; empty for any answer, and for errors of others.

    A connection that is refused is an answer: the host lives, and its kubelet may be starting.
    """
    try:
        cluster.text(f"{NODES}/{name}/proxy/healthz", seconds=ANSWER_SECONDS)
    except RefusedError as error:
        text = " ".join(str(error).split())
        return text if error.status in (502, 503, 504) and UNREACHED in text and "refused" not in text else ""
    except CONNECTION_ERRORS as error:
        return f"no answer within {ANSWER_SECONDS:.0f} s" if "timed out" in str(error) else ""
    return ""


def dead_node(name: str, seconds: float, words: str, waiting: Sequence[Key]) -> Finding:
    """What is said of a node that is gone. seconds: of silence. words: how its kubelet was not reached."""
    found = f"no sign of life for {seconds:.0f} s (its Lease is not renewed; {words})"
    return Finding(name, "node", found, f"it alive, because {_names(waiting)} cannot be ready without it", AGAIN)


def _names(keys: Sequence[Key]) -> str:
    return ", ".join(str(key) if key.name else f"every {key.kind}" for key in keys)


def pods_of(cluster: Nodes, item: Object) -> Sequence[Object]:
    """The pods that a DaemonSet, Deployment or StatefulSet selects by labels."""
    labels = ((item.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not labels:
        return []
    selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return cluster.items(path_of("v1", "pods", item["metadata"]["namespace"]), selector)


def on(pod: Mapping[str, Any], nodes: Collection[str]) -> bool:
    """Whether a pod is on one of the nodes, and is to stay there."""
    return pod["spec"].get("nodeName") in nodes and "deletionTimestamp" not in pod["metadata"]


def unready_elsewhere(cluster: Nodes, item: Object, lost: Collection[str]) -> str:
    """Why an object is not ready where nodes are left; empty when it is.

    Its pods on lost nodes do not count: a DaemonSet wants one on each of them, and for minutes a Deployment does not
    replace those that were there. At least one pod of a Deployment has to be ready.
    """
    reason = kube_objects.unready(item, "")
    if not reason or item["kind"] not in COUNTED:
        return reason
    try:
        pods = pods_of(cluster, item)
    except API_ERRORS:
        return reason
    return judge(item, pods, lost) if any(on(pod, lost) for pod in pods) else reason


def judge(item: Object, pods: Sequence[Object], lost: Collection[str]) -> str:
    """The same, once it is known that pods are on lost nodes. pods: all of the object's."""
    status, daemons = item.get("status") or {}, item["kind"] == "DaemonSet"
    wanted = int(status.get("desiredNumberScheduled", 0) if daemons else item["spec"].get("replicas", 1))
    updated = int(status.get("updatedNumberScheduled" if daemons else "updatedReplicas", 0))
    away = sum(on(pod, lost) for pod in pods)
    need = max(wanted - away, 0 if daemons else 1)
    living = [pod for pod in pods if pod["spec"].get("nodeName") not in lost]
    ready = sum("deletionTimestamp" not in pod["metadata"] and not kube_objects.unready(pod, "Ready") for pod in living)
    if int(status.get("observedGeneration", 0)) < int(item["metadata"].get("generation", 0)):
        return "the controller has not seen the newest version"
    if updated + away >= wanted and ready >= need:
        return ""
    return f"{updated} of {wanted} up to date, {ready} of {need} ready on nodes that are left"
