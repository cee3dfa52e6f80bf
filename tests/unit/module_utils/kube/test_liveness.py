"""kube.liveness: which nodes are gone while something is waited for, and whether the way to the API is closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import liveness
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import client

EPOCH = datetime(2001, 1, 1, tzinfo=UTC)  # the hosts' clocks, which this machine's need not agree with
UNREACHED = (503, {"message": "error trying to reach service: dial tcp 10.0.0.2:10250: i/o timeout"})
NODE = Key("v1", "Node", "", "worker1")
AGENT = Key("apps/v1", "DaemonSet", "demo", "agent")
CLOSED = ConnectionError("[Errno 111] Connection refused")


class World:
    """Three nodes whose kubelets renew their Leases every 10 s until they are told to stop; seconds of its own."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.now = 1000.0
        self.quiet: dict[str, float] = {}  # nodes that renew no more, and since when
        self.asked: list[str] = []
        state.kinds["coordination.k8s.io/v1"] = {"Lease": ("leases", True)}
        state.kinds["apps/v1"] = {"DaemonSet": ("daemonsets", True)}
        role = {"node-role.kubernetes.io/control-plane": ""}
        for name in ("cp1", "worker1", "worker2"):
            self.add(f"/api/v1/nodes/{name}", "v1", "Node", name, labels=role if name == "cp1" else {})
            self.kubelet(name, (200, b"ok"))
        self.renew()

    def add(self, path: str, version: str, kind: str, name: str, labels: Any = None, **fields: Any) -> None:
        """An object in the namespace that its path names, if any."""
        space = path.partition("/namespaces/")[2].partition("/")[0]
        metadata = {"name": name, "namespace": space, "labels": labels or {}}
        self.state.objects[path] = {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}

    def kubelet(self, name: str, answer: tuple[int, Any], seconds: float = 0.0) -> None:
        """What comes back when a node is asked through the API server, and after how long."""

        def page(rest: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
            self.asked.append(name)
            self.now += seconds
            return answer

        self.state.pages[f"/api/v1/nodes/{name}/proxy/healthz"] = page

    def renew(self) -> None:
        """What all Leases say by now."""
        for name in ("cp1", "worker1", "worker2"):
            last = min(self.now, self.quiet.get(name, self.now)) // 10 * 10
            spec = {"renewTime": (EPOCH + timedelta(seconds=last)).isoformat(timespec="microseconds")}
            path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"
            self.add(path, "coordination.k8s.io/v1", "Lease", name, spec=spec)

    def pod(self, name: str, node: str, ready: str = "True") -> None:
        """A pod of the DaemonSet agent."""
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        path = f"/api/v1/namespaces/demo/pods/{name}"
        self.add(path, "v1", "Pod", name, labels={"app": "agent", "of": "demo"}, spec={"nodeName": node}, status=status)

    def agent(self, desired: int, ready: int) -> None:
        """The DaemonSet agent."""
        counts = {"desiredNumberScheduled": desired, "updatedNumberScheduled": desired, "numberReady": ready}
        spec = {"selector": {"matchLabels": {"app": "agent", "of": "demo"}}}
        path = "/apis/apps/v1/namespaces/demo/daemonsets/agent"
        self.add(path, "apps/v1", "DaemonSet", "agent", spec=spec, status=counts)

    def until_said(self, watch: liveness.Watch, waiting: list[Key], seconds: float = 120) -> list[str]:
        """What a wait of so many seconds that looks twice a second is told first."""
        end = self.now + seconds
        while self.now < end:
            self.renew()
            said = watch.in_vain(waiting)
            if said:
                return said
            self.now += 0.5
        return []


@pytest.fixture
def world(served: tuple[State, Path]) -> Iterator[World]:
    """The nodes."""
    yield World(served[0])


@pytest.fixture
def watch(served: tuple[State, Path], world: World) -> Callable[..., liveness.Watch]:
    """Makes a watch over the nodes, by the world's clock."""
    return lambda *lost: liveness.Watch(client(served), lost, lambda: world.now)


@pytest.mark.parametrize("before", [0.0, 3.5, 9.5])
@pytest.mark.parametrize("seconds", [0.0, 3.0, liveness.ANSWER_SECONDS])
def test_a_dead_node_is_named_within_30_s(
    world: World, watch: Callable[..., liveness.Watch], before: float, seconds: float
) -> None:
    """Wherever between two renewals it dies, and however long it takes until connecting to it fails."""
    watching = watch()
    world.until_said(watching, [NODE], 60 + before)
    died = world.quiet["worker1"] = world.now
    world.kubelet("worker1", UNREACHED, seconds)
    [said] = world.until_said(watching, [Key("v1", "Node", "", "worker2"), NODE])
    assert world.now - died < 30
    assert said.startswith("worker1: node: found no sign of life for 2")
    assert "i/o timeout" in said and "because Node worker1 cannot be ready" in said and "Try: boot the host" in said
    assert set(world.asked) == {"worker1"} and len(world.asked) == 2, "who renews is not asked"


def test_a_node_that_died_before_the_wait_is_named_soon(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """Its Lease is compared with those of the others."""
    world.quiet["worker1"] = world.now - 40
    world.kubelet("worker1", UNREACHED)
    begun = world.now
    assert world.until_said(watch(), [NODE])
    assert world.now - begun < 5


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"ok"),
        (401, {"message": "Unauthorized"}),
        (403, {"message": "Forbidden"}),
        (404, {"message": "not found"}),
        (500, {"message": "PLEG is not healthy"}),
        (503, {"message": "the server is currently unable to handle the request"}),
        (503, {"message": "error trying to reach service: dial tcp 10.0.0.2:10250: connect: connection refused"}),
    ],
)
def test_a_node_that_answers_is_alive(
    world: World, watch: Callable[..., liveness.Watch], answer: tuple[int, Any]
) -> None:
    """However old its Lease is: a busy host is late with it, and a refused connection comes of a living host."""
    world.quiet["worker1"] = world.now
    world.kubelet("worker1", answer)
    assert world.until_said(watch(), [NODE]) == []
    assert world.asked


def test_a_kubelet_without_an_answer_in_time_is_not_reached(
    served: tuple[State, Path], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server itself tries to connect for longer."""
    cluster = client(served)

    def slow(rest: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        time.sleep(0.6)
        return 200, b"ok"

    world.state.pages["/api/v1/nodes/worker1/proxy/healthz"] = slow
    assert liveness.unanswered(cluster, "worker1") == ""
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.2)
    assert liveness.unanswered(cluster, "worker1").startswith("no answer within")


def test_one_answer_counts_more_than_failures(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """Failures must follow each other."""
    world.quiet["worker1"] = world.now
    answers = iter([UNREACHED, (200, b"ok")] * 100)
    world.state.pages["/api/v1/nodes/worker1/proxy/healthz"] = lambda rest, query: next(answers)
    assert world.until_said(watch(), [NODE]) == []


def test_a_node_that_renews_is_alive(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """Whatever is wrong on the way from the API server to it."""
    world.kubelet("worker1", UNREACHED)
    assert world.until_said(watch(), [NODE]) == []


def test_a_control_plane_that_writes_no_lease_says_nothing(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """It is what is slow then, and connects to nobody in time either."""
    world.quiet = dict.fromkeys(("cp1", "worker1", "worker2"), world.now)
    world.kubelet("worker1", UNREACHED)
    assert world.until_said(watch(), [NODE]) == []


def test_a_node_that_joins_is_not_gone(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """It has no Lease yet."""
    world.kubelet("worker3", UNREACHED)
    assert world.until_said(watch(), [Key("v1", "Node", "", "worker3")]) == []


def test_lost_nodes_and_what_does_not_need_a_node(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """Only what cannot come true ends a wait."""
    world.quiet["worker1"] = world.now
    world.kubelet("worker1", UNREACHED)
    world.agent(desired=2, ready=1)
    world.pod("one", "worker1", ready="False")
    assert world.until_said(watch("worker1"), [NODE, AGENT], 60) == []
    others = [Key("v1", "Node", "", "worker2"), Key("v1", "Namespace", "", "demo")]
    assert world.until_said(watch(), others, 60) == []
    [said] = world.until_said(watch(), [AGENT, *others], 60)
    assert "because DaemonSet demo/agent cannot be ready without it" in said
    every = Key("apps/v1", "DaemonSet", "", "")
    assert "every DaemonSet" in world.until_said(watch(), [every], 60)[0]


def test_what_has_pods_on_lost_nodes_only_is_not_waited_for(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """It gets new ones after more than five minutes."""
    world.quiet["worker1"] = world.now
    world.kubelet("worker1", UNREACHED)
    world.state.kinds["apps/v1"]["Deployment"] = ("deployments", True)
    selector = {"matchLabels": {"app": "agent"}}
    path, web = "/apis/apps/v1/namespaces/demo/deployments/web", Key("apps/v1", "Deployment", "demo", "web")
    world.add(path, "apps/v1", "Deployment", "web", spec={"replicas": 2, "selector": selector})
    world.pod("one", "worker1")
    [said] = world.until_said(watch("worker1"), [web], 60)
    assert said.startswith("worker1: node: ") and "Deployment demo/web cannot be ready without it" in said
    world.pod("two", "worker2", ready="False")
    assert world.until_said(watch("worker1"), [web], 60) == []


def test_who_may_not_look_learns_nothing(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """And waits as before."""
    world.quiet["worker1"] = world.now
    world.kubelet("worker1", UNREACHED)
    world.state.pages[liveness.LEASES] = lambda rest, query: (403, {"message": "Forbidden"})
    assert world.until_said(watch(), [NODE], 60) == []


def test_a_closed_tunnel_names_the_control_plane(world: World, watch: Callable[..., liveness.Watch]) -> None:
    """Not at once: what refuses for a moment may come back."""
    watching = watch()
    assert world.until_said(watching, [NODE], 10) == []

    def refuse(*_: Any) -> Any:
        raise CLOSED

    watching._cluster.items = refuse  # type: ignore[method-assign,assignment]
    closed = world.now
    [said] = world.until_said(watching, [NODE])
    assert liveness.CLOSED_SECONDS <= world.now - closed < liveness.CLOSED_SECONDS + 5
    assert said.startswith("cp1: SSH tunnel: found no way to the API any more") and "Node worker1" in said


@pytest.mark.parametrize(
    ("server", "errors", "closed"),
    [
        ("https://127.0.0.1:16443", [CLOSED] * 12, True),
        ("https://[::1]:16443", [CLOSED] * 12, True),
        ("https://127.0.0.1:16443", [CLOSED] * 9, False),
        ("https://127.0.0.1:16443", [CLOSED] * 9 + [ConnectionError("reset by peer")] + [CLOSED] * 9, False),
        ("https://10.0.0.1:6443", [CLOSED] * 12, False),
    ],
)
def test_only_a_tunnel_is_closed_for_good(server: str, errors: list[Exception], closed: bool) -> None:
    """And only one that refuses for CLOSED_SECONDS; an error a second here."""
    clock = iter(range(1000))
    gate = liveness.Gate(server, lambda: float(next(clock)))
    assert [gate.closed(error) for error in errors][-1] is closed


def counted(kind: str, wanted: int, updated: int, node_pods: list[str], generation: int = 1) -> tuple[Any, list[Any]]:
    """A workload and its pods, each as ``NODE`` when it is ready, ``NODE:False`` when it is not."""
    names = (
        ("desiredNumberScheduled", "updatedNumberScheduled") if kind == "DaemonSet" else ("replicas", "updatedReplicas")
    )
    item = {
        "kind": kind,
        "metadata": {"name": "x", "namespace": "demo", "generation": generation},
        "spec": {"replicas": wanted},
        "status": {names[0]: wanted, names[1]: updated, "observedGeneration": 1},
    }
    pods = []
    for text in node_pods:
        node, _, ready = text.partition(":")
        conditions = [{"type": "Ready", "status": ready or "True"}]
        pods.append({"kind": "Pod", "metadata": {}, "spec": {"nodeName": node}, "status": {"conditions": conditions}})
    return item, pods


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (counted("DaemonSet", 3, 3, ["cp1", "worker2", "worker1:False"]), ""),
        (counted("DaemonSet", 3, 3, ["cp1", "worker2", "worker1"]), ""),
        (counted("DaemonSet", 3, 2, ["cp1", "worker2", "worker1:False"]), ""),
        (counted("DaemonSet", 3, 3, ["cp1", "worker2:False", "worker1"]), "1 of 2 ready"),
        (counted("DaemonSet", 3, 1, ["cp1", "worker2", "worker1"]), "1 of 3 up to date"),
        (counted("DaemonSet", 1, 1, ["worker1:False"]), ""),
        (counted("DaemonSet", 2, 2, ["cp1", "worker1"], generation=2), "newest version"),
        (counted("Deployment", 2, 2, ["worker1:False", "worker2"]), ""),
        (counted("Deployment", 2, 2, ["worker1:False", "worker2:False"]), "0 of 1 ready"),
        (counted("Deployment", 1, 1, ["worker1:False"]), "0 of 1 ready"),
        (counted("Deployment", 3, 3, ["worker1", "worker2", "cp1:False"]), "1 of 2 ready"),
    ],
)
def test_pods_on_lost_nodes_do_not_count(item: tuple[Any, list[Any]], reason: str) -> None:
    """Neither as missing nor, while the cluster does not know of it, as ready."""
    said = liveness.judge(*item, ["worker1"])
    assert reason in said and bool(said) is bool(reason)
