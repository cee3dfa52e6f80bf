"""Which workloads are behind their namespace's revision, and module rollout against a server that plays controllers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import revision_rollout
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.conftest import Run, task_play
from tests.unit.kube_server import api_server
from tests.unit.module_utils.istio.samples import IMAGE, WORKLOADS, Controllers, injector, path_of, pod, workload

NEWER = "registry.example/istio/proxyv2:2"


class Pods:
    """A cluster with nothing but these pods."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)

    def list(self, api_version: str, kind: str) -> list[dict[str, Any]]:
        """All of them."""
        assert (api_version, kind) == ("v1", "Pod")
        return self.pods


def test_who_is_not_in_the_mesh_is_named() -> None:
    going = pod("going", "")
    going["metadata"]["deletionTimestamp"] = "2026-11-26T00:00:00Z"
    pods = Pods(
        pod("web", "old"), pod("job", "", phase="Succeeded"), pod("b", "", "bar"), pod("a", "", name="a"), going
    )
    assert revision_rollout.outside(pods, "foo") == ["a"]  # type: ignore[arg-type]


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Controllers]:
    """A cluster with controllers that make pods of revision canary; its kubeconfig is in tmp_path."""
    with api_server(tmp_path) as (state, _):
        state.kinds["v1"]["Pod"] = ("pods", True)
        state.kinds["apps/v1"] = {kind: (plural, True) for kind, plural in WORKLOADS.items()}
        yield Controllers(state, "canary")


@pytest.fixture
def move(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs module rollout for namespace foo and revision canary."""

    def start(*words: str, timeout: float = 20) -> Run:
        arguments = {"namespace": "foo", "revision": "canary", "timeout": timeout}
        arguments["kubeconfig"] = str(tmp_path / "kubeconfig")
        path = task_play(tmp_path, "twinstack.core.istio_revision_rollout", arguments, "found['moved']")
        return playbook("-i", "localhost,", path, *words)

    return start


# --- what is behind ---------------------------------------------------------------------------------------------------


def test_a_pod_is_its_workloads_by_all_labels() -> None:
    one = workload("Deployment", "a")
    assert revision_rollout.selected(pod("a", "x"), one)
    one["spec"]["selector"]["matchLabels"]["other"] = "1"
    assert not revision_rollout.selected(pod("a", "x"), one)
    one["spec"]["selector"] = {"matchExpressions": []}
    assert not revision_rollout.selected(pod("a", "x"), one), "an empty selection is not everything"


def test_behind_is_what_has_a_pod_of_another_revision() -> None:
    workloads = [workload("StatefulSet", "old"), workload("Deployment", "z"), workload("Deployment", "mixed")]
    workloads += [workload("Deployment", name) for name in ("moved", "plain", "empty", "evicted")]
    pods = [pod("old", "stable"), pod("z", "stable"), pod("mixed", "stable"), pod("mixed", "canary")]
    pods += [pod("moved", "canary"), pod("plain", ""), pod("evicted", "canary")]
    pods += [pod("evicted", "stable", phase="Failed")]
    found = revision_rollout.behind(workloads, pods, "canary", {})
    assert [item["metadata"]["name"] for item in found] == ["mixed", "z", "old"]


def test_behind_is_what_has_a_pod_of_an_earlier_build_of_the_same_revision() -> None:
    workloads = [workload("Deployment", name) for name in ("old", "new", "own")]
    own = pod("own", "canary", image="elsewhere.example/proxy:2")
    own["metadata"]["annotations"]["sidecar.istio.io/proxyImage"] = "elsewhere.example/proxy:2"
    pods = [pod("old", "canary"), pod("new", "canary", image=NEWER), own]
    found = revision_rollout.behind(workloads, pods, "canary", {"canary": NEWER})
    assert [item["metadata"]["name"] for item in found] == ["old"]


def test_a_workload_that_does_not_become_ready_ends_it(played: Controllers, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        played.add(workload("Deployment", name), pod(name, "stable"))
    client = Client(str(tmp_path / "kubeconfig"), None, "test")
    asked: list[Key] = []

    def wait(key: Key) -> list[str]:
        asked.append(key)
        return ["too late"] if key.name == "b" else []

    moved, late = revision_rollout.move_all(client, "foo", "canary", wait, dry_run=False)
    assert moved == ["Deployment foo/a", "Deployment foo/b"]
    assert late == ["too late", "Deployment foo/b: its former template is back, with the pods that serve"]
    assert asked == [Key("apps/v1", "Deployment", "foo", name) for name in ("a", "b")]
    assert [line.rpartition("/")[2] for line in played.state.log] == ["a", "b", "b"], "b goes back"
    assert revision_rollout.settled(client, "foo", "canary") == ["a-stable", "b-stable", "c-stable"]


# --- module rollout ---------------------------------------------------------------------------------------------------


def test_everything_behind_is_moved_and_nothing_else(played: Controllers, move: Callable[..., Run]) -> None:
    for kind, name in (("StatefulSet", "data"), ("Deployment", "web"), ("DaemonSet", "agent")):
        played.add(workload(kind, name), pod(name, "stable"))
    played.add(workload("Deployment", "new"), pod("new", "canary"), workload("Deployment", "plain"), pod("plain", ""))
    played.add(workload("Deployment", "web", "bar"), pod("web", "stable", "bar", "others"))
    played.add(pod("job", "stable", name="job-done", phase="Succeeded"))
    order = '["DaemonSet foo/agent", "Deployment foo/web", "StatefulSet foo/data"]'
    told = move("--check").succeeded().output
    assert order in told and "changed=1" in told
    assert played.state.log == []
    done = move().succeeded().output
    assert order in done and "changed=1" in done
    assert [line.rpartition("/")[2] for line in played.state.log] == ["agent", "web", "data"]
    moved = {f"{name}-canary" for name in ("agent", "web", "data", "new")}
    assert played.pods() == {*moved, "plain-", "others", "job-done"}, "the old ones are waited for"
    again = move().succeeded().output
    assert "changed=0" in again and "[]" in again
    assert len(played.state.log) == 3


def test_a_workload_of_an_earlier_build_is_moved_too(played: Controllers, move: Callable[..., Run]) -> None:
    played.add(workload("Deployment", "web"), pod("web", "canary"), injector("canary", "2"))
    played.image = NEWER
    assert "changed=1" in move("--check").succeeded().output
    assert "changed=1" in move().succeeded().output
    (renewed,) = [item for item in played.state.objects.values() if item["kind"] == "Pod"]
    assert renewed["spec"]["initContainers"][0]["image"] == NEWER != IMAGE
    assert "changed=0" in move().succeeded().output


def test_a_move_that_was_taken_back_by_other_means_is_made_again(played: Controllers, move: Callable[..., Run]) -> None:
    played.add(workload("Deployment", "web"), pod("web", "stable"))
    move().succeeded()
    for old in [item for item in played.state.objects.values() if item["kind"] == "Pod"]:
        del played.state.objects[path_of(old)]
    played.add(pod("web", "stable"))
    assert "changed=1" in move().succeeded().output
    assert played.pods() == {"web-canary"}


def test_the_reason_is_reported_and_the_others_keep_their_pods(played: Controllers, move: Callable[..., Run]) -> None:
    played.add(workload("Deployment", "a"), pod("a", "stable"), workload("Deployment", "b"), pod("b", "stable"))
    played.broken = {"a"}
    failed = move(timeout=0)
    assert failed.code != 0
    assert "foo was not moved to canary as a whole" in failed.output
    assert "Deployment foo/a: the controller has not seen the newest version" in failed.output
    assert played.pods() == {"a-stable", "b-stable"}
    assert played.state.log == ["PATCH /apis/apps/v1/namespaces/foo/deployments/a"] * 2, "there, and back again"
    assert "its former template is back" in failed.output


def test_pods_that_stay_are_named(played: Controllers, move: Callable[..., Run]) -> None:
    played.add(workload("Deployment", "a"), pod("a", "stable"), pod("", "stable", name="alone"))
    failed = move(timeout=1)
    assert failed.code != 0
    assert "pods alone: found them still there, expected only pods of canary" in " ".join(failed.output.split())


def test_a_refusal_is_reported(played: Controllers, move: Callable[..., Run]) -> None:
    item = workload("Deployment", "a")
    played.add(item, pod("a", "stable"))
    played.state.refuse[path_of(item)] = [(403, "a webhook says no")]
    failed = move()
    assert failed.code != 0
    assert (
        "foo: found a webhook says no; expected an answer of the API server. Try: kubectl -n foo get pods"
        in " ".join(failed.output.split())
    )
