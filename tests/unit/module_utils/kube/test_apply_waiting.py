"""kube.apply waits: for objects to be ready, one after the other."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import ALL, SPACE_KEY, SPACE_PATH, apply, client


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
