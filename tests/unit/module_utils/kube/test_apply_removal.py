"""kube.apply removes: what left an apply set, and what is waited for until it is gone."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.kube.samples import (
    ALL,
    DEFINITION,
    DEFINITION_PATH,
    SPACE,
    SPACE_KEY,
    SPACE_PATH,
    SYSTEM,
    THING,
    apply,
    client,
    config_map,
)


def test_what_left_a_part_is_removed_and_nothing_else(served: tuple[State, Path]) -> None:
    apply(served, [SYSTEM, DEFINITION])
    apply(served, [SPACE, config_map("kept"), config_map("left"), THING], apply_set="ours")
    apply(served, [config_map("foreign")])
    told = apply(served, [SPACE, config_map("kept")], apply_set="ours", dry=True)
    assert set(told.pruned) == {"ConfigMap demo/left", "Thing one"}, "a kind that left the apply set counts too"
    done = apply(served, [SPACE, config_map("kept")], apply_set="ours")
    assert (done.changed, set(done.pruned)) == ([], {"ConfigMap demo/left", "Thing one"})
    names = {"kube-system", "things.example.org", "twinstack-part-ours", "demo", "kept", "foreign"}
    assert {path.rpartition("/")[2] for path in served[0].objects} == names
    sent = len(served[0].log)
    again = apply(served, [SPACE, config_map("kept")], apply_set="ours")
    assert (again.changed, again.pruned) == ([], [])
    assert len(served[0].log) == sent, (
        "what is unchanged since it was applied is looked at only, and so is the record of kinds"
    )


def test_an_apply_set_without_objects_goes_away_as_a_whole_namespaces_last(served: tuple[State, Path]) -> None:
    apply(served, [SYSTEM])
    apply(served, ALL, apply_set="ours")
    done = apply(served, [], apply_set="ours")
    assert done.failures == []
    assert set(done.pruned) == {
        "Namespace demo",
        "CustomResourceDefinition things.example.org",
        "Thing one",
        "ConfigMap demo/a",
    }
    assert done.pruned[-1] == "Namespace demo"
    assert [line for line in served[0].log if line.startswith("DELETE") and "/demo/" in line] == [], "one by one"
    assert {path.rpartition("/")[2] for path in served[0].objects} == {"kube-system"}
    assert apply(served, [], apply_set="ours").pruned == []


def test_a_refused_removal_is_reported_and_not_forgotten(served: tuple[State, Path]) -> None:
    apply(served, [SYSTEM, SPACE])
    apply(served, [config_map("left")], apply_set="ours")
    served[0].refuse["/api/v1/namespaces/demo/configmaps/left"] = [(403, "a webhook says no")]
    refused = apply(served, [], apply_set="ours")
    assert refused.failures == ["ConfigMap demo/left: it could not be removed: a webhook says no"]
    assert apply(served, [], apply_set="ours").pruned == ["ConfigMap demo/left"]


def test_what_is_being_removed_is_looked_at_until_it_is_gone(served: tuple[State, Path]) -> None:
    apply(served, [SPACE, DEFINITION])
    cluster = client(served)
    keys = [SPACE_KEY, Key("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.org")]
    looks = []

    def removed(seconds: float) -> None:
        looks.append(seconds)
        served[0].objects.pop(SPACE_PATH if len(looks) == 1 else DEFINITION_PATH)

    assert kube_apply.wait_gone(cluster, keys, time.monotonic() + 60, removed) == []
    assert len(looks) == 2
    assert kube_apply.wait_gone(cluster, keys, time.monotonic(), removed) == []
    assert kube_apply.wait_gone(cluster, [], time.monotonic(), removed) == []


def test_what_is_not_gone_in_time_is_named(served: tuple[State, Path]) -> None:
    apply(served, [SPACE])
    unknown = Key("example.org/v1", "Thing", "", "one")
    assert kube_apply.wait_gone(client(served), [unknown], time.monotonic()) == [], "its kind is gone"
    assert kube_apply.wait_gone(client(served), [unknown, SPACE_KEY], time.monotonic()) == [
        "Namespace demo: found it still there, expected it to be gone"
    ]


def test_without_an_answer_nobody_knows_whether_it_is_gone(tmp_path: Path) -> None:
    with api_server(tmp_path) as served:
        cluster = client(served)
        cluster.learn("v1")
    sleeps: list[float] = []
    (line,) = kube_apply.wait_gone(cluster, [SPACE_KEY], time.monotonic() + 0.2, sleeps.append)
    assert line.startswith("Namespace demo: ") and "still there" not in line
    assert sleeps
