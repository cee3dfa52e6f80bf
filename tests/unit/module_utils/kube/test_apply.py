"""kube.apply against a server on the loopback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import ALL, DEFINITION, SPACE, SYSTEM, THING, apply, client, config_map


def test_everything_new_is_applied_in_order_and_the_second_time_nothing_changes(served: tuple[State, Path]) -> None:
    first = apply(served, ALL)
    assert first.failures == []
    assert set(first.changed) == {
        "Namespace demo",
        "CustomResourceDefinition things.example.org",
        "Thing one",
        "ConfigMap demo/a",
    }
    assert [line.rpartition("/")[2] for line in served[0].log[:2]] == ["demo", "things.example.org"]
    assert apply(served, ALL).changed == []


@pytest.mark.parametrize("dry", [True, False])
def test_nothing_is_applied_when_a_namespace_is_somebody_elses(served: tuple[State, Path], dry: bool) -> None:
    apply(served, [SPACE])
    two = {**SPACE, "metadata": {"name": "two", "labels": {"istio.io/rev": "stable"}}}
    labels = {"istio-injection": "enabled", kube_objects.APPLY_SET_LABEL: "tenants"}
    apply(served, [{**two, "metadata": {"name": "two", "labels": labels}}])
    before = list(served[0].log)
    failures = apply(served, [config_map("a"), DEFINITION, SPACE, two], apply_set="tenants", dry=dry).failures
    assert [line.partition(":")[0] for line in failures] == ["Namespace demo", "Namespace two"], "all at once"
    assert "expected a free name" in failures[0] and "istio-injection=enabled" in failures[1]
    assert served[0].log == before
    assert not [line for line in served[0].asked if line.startswith("PATCH") and "dryRun" in line]


def test_a_dry_run_reports_the_same_and_sends_nothing(served: tuple[State, Path]) -> None:
    told = apply(served, ALL, dry=True)
    assert told.failures == []
    assert len(told.changed) == 4
    assert served[0].log == []
    apply(served, ALL)
    assert apply(served, ALL, dry=True).changed == []
    changed = apply(served, [SPACE, config_map("a", x="2")], dry=True)
    assert changed.changed == ["ConfigMap demo/a"]
    assert "x: '1'" in changed.diff[0]["before"]
    assert "x: '2'" in changed.diff[0]["after"]
    assert served[0].objects["/api/v1/namespaces/demo/configmaps/a"]["data"] == {"x": "1"}


def test_a_definition_that_is_not_established_stops_the_apply_with_its_reason(served: tuple[State, Path]) -> None:
    served[0].establishes = False
    outcome = kube_apply.apply_all(client(served), [DEFINITION, THING], "", False, True, time.monotonic() + 1)
    assert outcome.failures == ["CustomResourceDefinition things.example.org: Established is False: names conflict"]
    assert "/apis/example.org/v1/things/one" not in served[0].objects


def test_nothing_that_pods_come_of_is_applied_before_what_it_waits_for(served: tuple[State, Path]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late", "namespace": "demo"}, "spec": {}}
    node = (Key("v1", "Node", "", "n1"), "")

    def outcome(dry: bool) -> kube_apply.Outcome:
        return kube_apply.apply_all(client(served), [*ALL, pod], "", dry, True, time.monotonic() + 0.2, [node])

    assert "Pod demo/late" in outcome(dry=True).changed
    early = outcome(dry=False)
    assert [line.split(":")[0] for line in early.late] == ["Node n1"]
    assert "Namespace demo" in early.changed and "Pod demo/late" not in early.changed


def test_all_refusals_of_a_wave_are_reported(served: tuple[State, Path]) -> None:
    state = served[0]
    for name in ("a", "b"):
        state.refuse[f"/api/v1/namespaces/demo/configmaps/{name}"] = [(422, f"{name} is invalid")]
    outcome = apply(served, [SPACE, config_map("a"), config_map("b"), config_map("c")])
    assert outcome.failures == [
        "ConfigMap demo/a: the API server refused it: a is invalid",
        "ConfigMap demo/b: the API server refused it: b is invalid",
    ]


def test_a_passing_refusal_is_tried_again(served: tuple[State, Path]) -> None:
    served[0].refuse["/api/v1/namespaces/demo"] = [(503, "not yet")]
    assert apply(served, [SPACE]).failures == []


def test_an_unknown_kind_is_a_failure(served: tuple[State, Path]) -> None:
    outcome = apply(served, [THING])
    assert outcome.failures == ["Thing one: found no kind Thing in example.org/v1; expected the cluster to serve it"]


def test_a_namespace_of_somebody_else_is_not_taken_over(served: tuple[State, Path]) -> None:
    """Else it would be removed with all that is in it, once the apply set does not hold it any more."""
    apply(served, [SYSTEM, SPACE])
    for dry in (True, False):
        told = apply(served, [SPACE, config_map("new")], apply_set="ours", dry=dry)
        assert told.changed == []
        (failure,) = told.failures
        assert failure.startswith(
            "Namespace demo: owner: found a namespace that this project did not make (test); expected a free name"
        )


def test_a_namespace_with_both_kinds_of_injection_label_is_refused(served: tuple[State, Path]) -> None:
    """Istio would follow the older one, whatever revision the newer one names."""
    named = {**SPACE, "metadata": {"name": "demo", "labels": {"istio.io/rev": "canary"}}}
    apply(served, [SYSTEM])
    assert apply(served, [named], apply_set="ours").failures == []
    older = {**SPACE, "metadata": {"name": "demo", "labels": {"istio-injection": "enabled"}}}
    apply(served, [older])
    (failure,) = apply(served, [named], apply_set="ours").failures
    assert "istio-injection=enabled beside istio.io/rev" in failure
    assert failure.endswith("Try: kubectl label namespace demo istio-injection-")


def test_a_connection_that_breaks_before_the_first_apply_is_tried_again(served: tuple[State, Path]) -> None:
    """An API server restarts beside kubeadm; in a dry run nothing is waited for."""
    path = "/api/v1/namespaces/demo/configmaps/a"

    def broken(rest: str, query: list[tuple[str, str]]) -> tuple[int, str]:
        del served[0].pages[path]
        raise ConnectionResetError("on purpose")

    for dry in (False, True):
        served[0].pages[path] = broken
        told = apply(served, [SPACE, config_map("a", x=str(dry))], dry=dry)
        assert bool(told.failures) is dry and (told.changed == []) is dry
