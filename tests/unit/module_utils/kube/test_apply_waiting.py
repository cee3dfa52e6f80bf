"""kube.apply waits: for objects to be ready, one after the other, and not for what cannot become ready any more."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import liveness
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import ALL, SPACE_KEY, SPACE_PATH, apply, client, config_map


def test_waiting_ends_with_the_reason(served: tuple[State, Path]) -> None:
    apply(served, ALL)
    cluster = client(served)
    target = (Key("example.org/v1", "Thing", "", "one"), "Ready")
    assert kube_apply.wait_all(cluster, [target], time.monotonic()) == ["Thing one: no condition Ready"]
    every = (Key("example.org/v1", "Thing", "", ""), "Ready")
    assert kube_apply.wait_all(cluster, [every], time.monotonic()) == ["Thing one: no condition Ready"]
    path = "/apis/example.org/v1/things/one"
    served[0].objects[path]["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert kube_apply.wait_all(cluster, [target, every], time.monotonic()) == []
    none = (Key("v1", "Secret", "", ""), "")
    assert kube_apply.wait_all(cluster, [none], time.monotonic()) == ["Secret: none there"]


def test_a_waiting_target_is_looked_at_again(served: tuple[State, Path]) -> None:
    apply(served, ALL)

    def become_ready(seconds: float) -> None:
        served[0].objects["/apis/example.org/v1/things/one"]["status"] = {
            "conditions": [{"type": "Ready", "status": "True"}]
        }

    target = (Key("example.org/v1", "Thing", "", "one"), "Ready")
    assert kube_apply.wait_all(client(served), [target], time.monotonic() + 60, become_ready) == []


def test_what_is_waited_for_is_read_one_after_the_other(served: tuple[State, Path]) -> None:
    apply(served, ALL)
    server, cluster = served[0], client(served)
    thing, space = (Key("example.org/v1", "Thing", "", "one"), "Ready"), (SPACE_KEY, "Ready")
    paths = ["/apis/example.org/v1/things/one", SPACE_PATH]
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}

    def looks() -> list[str]:
        found = [path for path in paths for line in server.asked if line.partition("?")[0].endswith(path)]
        server.asked.clear()
        return found

    looks()
    late = kube_apply.wait_all(cluster, [thing, space], time.monotonic())
    assert late == ["Thing one: no condition Ready", "Namespace demo: no condition Ready"]
    assert looks() == paths, "both are reported when time is up"

    def become_ready(seconds: float) -> None:
        looked = looks()
        if len(sleeps) == 2:
            server.objects[paths[0]]["status"] = ready
        if len(sleeps) == 4:
            server.objects[paths[1]]["status"] = ready
        sleeps.append(looked)

    sleeps: list[list[str]] = []
    assert kube_apply.wait_all(cluster, [thing, space], time.monotonic() + 60, become_ready) == []
    assert sleeps == [[paths[0]]] * 3 + [paths, [paths[1]]] and looks() == [paths[1]]


DAEMONS = Key("apps/v1", "DaemonSet", "demo", "agent")


def dead_worker(state: State) -> None:
    """A DaemonSet with a pod on each of two nodes, of which worker1 died half a minute ago."""
    state.kinds |= {
        "coordination.k8s.io/v1": {"Lease": ("leases", True)},
        "apps/v1": {"DaemonSet": ("daemonsets", True)},
    }

    def add(path: str, kind: str, name: str, **fields: Any) -> None:
        space = path.partition("/namespaces/")[2].partition("/")[0]
        metadata = {"name": name, "namespace": space, "labels": {"app": "agent"}}
        state.objects[path] = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}

    for name, second, ready in (("cp1", 40, "True"), ("worker1", 10, "False")):
        add(f"{liveness.LEASES}/{name}", "Lease", name, spec={"renewTime": f"2026-11-28T10:00:{second}.000000Z"})
        conditions = [{"type": "Ready", "status": ready, "message": "no network"}]
        status = {"conditions": conditions}
        add(f"/api/v1/nodes/{name}", "Node", name, status=status)
        add(f"/api/v1/namespaces/demo/pods/{name}", "Pod", name, spec={"nodeName": name}, status=status)
    counts = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 1}
    selector = {"matchLabels": {"app": "agent"}}
    add(
        "/apis/apps/v1/namespaces/demo/daemonsets/agent",
        "DaemonSet",
        "agent",
        spec={"selector": selector},
        status=counts,
    )
    unreached = {"message": "error trying to reach service: dial tcp 10.0.0.2:10250: connect: no route to host"}
    state.pages["/api/v1/nodes/worker1/proxy"] = lambda rest, query: (503, unreached)


def test_waiting_ends_when_a_node_has_died(served: tuple[State, Path]) -> None:
    dead_worker(served[0])
    begun = time.monotonic()
    targets = [(DAEMONS, ""), (Key("v1", "Node", "", "worker1"), "")]
    late = kube_apply.wait_all(client(served), targets, begun + 60)
    assert time.monotonic() - begun < 20
    assert late[0].startswith("worker1: node: found no sign of life for 3")
    assert "DaemonSet demo/agent, Node worker1 cannot be ready without it" in late[0]
    assert late[1:] == ["DaemonSet demo/agent: 2 of 2 up to date, 1 ready", "Node worker1: Ready is False: no network"]


def test_pods_of_lost_nodes_are_not_waited_for(served: tuple[State, Path]) -> None:
    dead_worker(served[0])
    cluster = client(served)
    every = Key("apps/v1", "DaemonSet", "", "")
    for target in (DAEMONS, every):
        assert kube_apply.wait_all(cluster, [(target, "")], time.monotonic()) != []
        assert kube_apply.wait_all(cluster, [(target, "")], time.monotonic(), lost=["worker1"]) == []


@pytest.mark.parametrize("before", [True, False])
def test_a_tunnel_that_is_closed_ends_the_apply(
    served: tuple[State, Path], monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """Whether objects are applied or waited for: nothing opens it again."""
    monkeypatch.setattr(liveness, "CLOSED_SECONDS", 2.0)
    kubeconfig = served[1].with_name("closed")
    kubeconfig.write_text(re.sub(r"127.0.0.1:\d+", "127.0.0.1:9", served[1].read_text()))
    cluster = Client(str(kubeconfig), None, "test")
    begun = time.monotonic()
    if before:
        maps = [config_map(f"m{number}") for number in range(3 * kube_apply.AT_ONCE)]
        failures = kube_apply.apply_all(cluster, maps, "", False, True, begun + 60).failures
        assert len(failures) == 1  # what is there is looked at before anything is applied
    else:
        failures = kube_apply.wait_all(cluster, [(SPACE_KEY, "")], begun + 60)
        assert "control plane: SSH tunnel: found no way to the API any more" in failures[0]
    assert "refused" in failures[0] and time.monotonic() - begun < 15
