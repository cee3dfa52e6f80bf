"""kube.apply removes what left an apply set."""

from __future__ import annotations

from pathlib import Path

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import ALL, DEFINITION, SPACE, SYSTEM, THING, apply, config_map


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
