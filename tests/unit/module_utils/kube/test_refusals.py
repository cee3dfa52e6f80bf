"""kube.refusals: what an apply set must not take over or delete, before anything of it is applied."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import key_of

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import SYSTEM, apply, config_map, namespace

BAR, BAZ, FOO = namespace("bar"), namespace("baz"), namespace("foo")
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "bar"},
}


def by_hand(served: tuple[State, Path], *items: dict[str, Any]) -> None:
    """What somebody else creates."""
    cluster = Client(str(served[1]), None, "kubectl-client-side-apply")
    for item in items:
        plural = cluster.learn(item["apiVersion"])[item["kind"]][0]
        cluster.create(f"/api/v1/namespaces/{item['metadata']['namespace']}/{plural}", item)


def inside(name: str, space: str = "bar", **metadata: Any) -> dict[str, Any]:
    """A ConfigMap in a namespace."""
    item = config_map(name, x="1")
    return item | {"metadata": {**item["metadata"], "namespace": space, **metadata}}


@pytest.fixture
def tenants(served: tuple[State, Path]) -> tuple[State, Path]:
    """Tenants foo and bar, each with one object of its own."""
    served[0].kinds["v1"] |= {
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
        "Lease": ("leases", True),
        "ServiceAccount": ("serviceaccounts", True),
    }
    apply(served, [SYSTEM])
    assert apply(served, [FOO, BAR, inside("own"), inside("own", "foo")], apply_set="tenants").failures == []
    return served


@pytest.mark.parametrize("dry", [True, False])
def test_a_namespace_with_something_of_others_is_not_deleted_unasked(tenants: tuple[State, Path], dry: bool) -> None:
    by_hand(tenants, inside("mine"))
    before = dict(tenants[0].objects)
    sent = list(tenants[0].log)
    told = apply(tenants, [FOO, BAZ], apply_set="tenants", dry=dry)
    (failure,) = told.failures
    assert failure.startswith("Namespace bar: remove_namespaces: found ")
    assert "ConfigMap mine" in failure and "ConfigMap own" not in failure and "expected bar in it" in failure
    assert (tenants[0].objects, tenants[0].log) == (before, sent), "nothing is applied before"
    assert (told.changed, told.pruned) == ([], [])
    assert told.namespaces == {"bar": {"objects": {"ConfigMap": 2}, "others": ["ConfigMap mine"]}}
    assert "PATCH" not in " ".join(line for line in tenants[0].asked[-40:] if "dryRun" in line)


def test_a_namespace_with_something_of_others_goes_by_its_name(tenants: tuple[State, Path]) -> None:
    by_hand(tenants, inside("mine"), CLAIM)
    done = apply(tenants, [FOO], apply_set="tenants", remove=["bar", "was-never"])
    assert done.failures == [] and "Namespace bar" in done.pruned
    assert done.namespaces["bar"] == {
        "objects": {"ConfigMap": 2, "PersistentVolumeClaim": 1},
        "others": ["ConfigMap mine", "PersistentVolumeClaim data"],
    }
    assert not [path for path in tenants[0].objects if "/bar" in path]
    again = apply(tenants, [FOO], apply_set="tenants", remove=["bar"])
    assert (again.failures, again.changed, again.pruned, again.namespaces) == ([], [], [], {})


def test_a_namespace_that_holds_only_ours_goes_as_ever(tenants: tuple[State, Path]) -> None:
    """And what Kubernetes and istiod put into every namespace."""
    made = [inside("kube-root-ca.crt"), inside("istio-ca-root-cert"), inside("istio-ca-root-cert-canary")]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "bar"}}
    lease = {"apiVersion": "v1", "kind": "Lease", "metadata": {"name": "leader", "namespace": "bar"}}
    by_hand(tenants, *made, account, lease)
    told = apply(tenants, [FOO], apply_set="tenants", dry=True)
    assert told.failures == [] and told.namespaces == {"bar": {"objects": {"ConfigMap": 1}, "others": []}}
    done = apply(tenants, [FOO], apply_set="tenants")
    assert done.failures == [] and "Namespace bar" in done.pruned


def test_a_claim_of_volumes_is_never_deleted_unasked_whoever_owns_it(tenants: tuple[State, Path]) -> None:
    owner = tenants[0].objects["/api/v1/namespaces/bar/configmaps/own"]["metadata"]
    owner["uid"] = "1"
    owned = {"apiVersion": "v1", "kind": "ConfigMap", "name": "own", "uid": "1"}
    by_hand(tenants, {**CLAIM, "metadata": {**CLAIM["metadata"], "ownerReferences": [owned]}})
    (failure,) = apply(tenants, [FOO], apply_set="tenants").failures
    assert "PersistentVolumeClaim data" in failure


def test_every_namespace_is_reported_at_once_with_everything_else(tenants: tuple[State, Path]) -> None:
    by_hand(tenants, *(inside(f"mine-{number:02}") for number in range(12)), inside("mine", "foo"))
    by_hand(tenants, inside("taken", "kube-system"))
    failures = apply(tenants, [inside("taken", "kube-system")], apply_set="tenants").failures
    assert sorted(line.partition(":")[0] for line in failures) == [
        "ConfigMap kube-system/taken",
        "Namespace bar",
        "Namespace foo",
    ]
    (bar,) = [line for line in failures if line.startswith("Namespace bar")]
    assert "mine-09" in bar and "mine-10" not in bar and "12 objects" in bar


def test_a_renamed_tenant_is_refused_even_if_it_holds_only_ours(tenants: tuple[State, Path]) -> None:
    """Else a slip of the pen takes it down."""
    before = dict(tenants[0].objects)
    for dry in (True, False):
        (failure,) = apply(tenants, [FOO, BAZ], apply_set="tenants", dry=dry).failures
        assert failure.startswith("Namespace bar: remove_namespaces: found ")
        assert "bar is gone and baz is new" in failure and "a namespace cannot be renamed" in failure
    assert tenants[0].objects == before
    assert apply(tenants, [FOO, BAZ], apply_set="tenants", remove=["bar"]).failures == []


def test_a_new_tenant_alone_is_no_renaming(tenants: tuple[State, Path]) -> None:
    assert apply(tenants, [FOO, BAR, BAZ], apply_set="tenants").failures == []
    assert apply(tenants, [FOO, BAZ], apply_set="tenants").failures == []


def test_a_namespace_that_is_on_its_way_already_is_not_asked_about(tenants: tuple[State, Path]) -> None:
    """A run that was cut off goes on without the name."""
    by_hand(tenants, inside("mine"))
    tenants[0].stays["/api/v1/namespaces/bar"] = 1000
    assert apply(tenants, [FOO], apply_set="tenants", remove=["bar"]).failures == []
    by_hand(tenants, inside("stuck"))
    done = apply(tenants, [FOO], apply_set="tenants")
    assert done.failures == [] and [key.name for key in done.going] == ["bar"]


def test_nothing_is_deleted_while_nobody_knows_what_is_in_it(tenants: tuple[State, Path]) -> None:
    """A dead APIService: its objects cannot be listed, and the deletion would have no end."""
    tenants[0].stale = ["metrics.k8s.io/v1beta1"]
    tenants[0].kinds["apiregistration.k8s.io/v1"] = {"APIService": ("apiservices", False)}
    condition = {"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints"}
    tenants[0].objects["/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"] = {
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "status": {"conditions": [condition]},
    }
    for remove in ([], ["bar"]):
        (failure,) = apply(tenants, [FOO], apply_set="tenants", remove=remove).failures
        assert "APIService v1beta1.metrics.k8s.io" in failure and "no endpoints" in failure
    assert apply(tenants, [FOO, BAR, inside("own")], apply_set="tenants").failures == [], "nothing is deleted here"


def test_what_cannot_be_deleted_by_itself_does_not_count(tenants: tuple[State, Path]) -> None:
    tenants[0].kinds["metrics.k8s.io/v1"] = {"PodMetrics": ("podmetrics", True)}
    tenants[0].read_only = {"podmetrics"}
    tenants[0].objects["/apis/metrics.k8s.io/v1/namespaces/bar/podmetrics/a"] = {
        "kind": "PodMetrics",
        "metadata": {"name": "a", "namespace": "bar"},
    }
    assert apply(tenants, [FOO], apply_set="tenants").failures == []


# --- objects of others ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry", [True, False])
def test_an_object_of_somebody_else_is_never_taken_over(tenants: tuple[State, Path], dry: bool) -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    by_hand(tenants, inside("web", labels=labels), inside("api"))
    before, sent = dict(tenants[0].objects), list(tenants[0].log)
    wanted = [FOO, BAR, inside("own"), inside("web"), inside("api"), inside("new")]
    failures = apply(tenants, wanted, apply_set="tenants", dry=dry).failures
    assert [line.partition(":")[0] for line in failures] == ["ConfigMap bar/api", "ConfigMap bar/web"], "all at once"
    assert "kubectl-client-side-apply" in failures[0] and "Helm" in failures[1] and "apply set tenants" in failures[0]
    assert (tenants[0].objects, tenants[0].log) == (before, sent)


def test_an_object_is_adopted_by_its_key_or_by_its_label(tenants: tuple[State, Path]) -> None:
    by_hand(tenants, inside("web"), inside("api", labels={"twinstack.core/part": "tenants"}))
    wanted = [FOO, BAR, inside("own"), inside("web"), inside("api")]
    keys = [key_of(inside("web"))]
    assert apply(tenants, wanted, apply_set="tenants", adopt=keys).failures == []
    assert apply(tenants, wanted, apply_set="tenants").failures == [], "it is ours from now on"


def test_what_our_other_set_made_changes_hands(tenants: tuple[State, Path]) -> None:
    assert apply(tenants, [inside("own")], apply_set="canary").changed == ["ConfigMap bar/own"]


def test_a_patch_does_not_make_an_object_ours(tenants: tuple[State, Path]) -> None:
    """The move between revisions marks the users' own workloads."""
    by_hand(tenants, inside("web"))
    key = key_of(inside("web"))
    Client(str(tenants[1]), None, "test").merge(key, {"metadata": {"annotations": {"moved": "1"}}}, "test")
    assert apply(tenants, [FOO, BAR, inside("own"), inside("web")], apply_set="tenants").failures


def test_a_copy_of_ours_is_not_pruned(tenants: tuple[State, Path]) -> None:
    """kubectl get -o yaml | kubectl apply under another name: the label is a copy too."""
    copy = inside("copy", labels={"twinstack.core/part": "tenants"})
    by_hand(tenants, copy)
    apply(tenants, [FOO, BAR, inside("own"), inside("left")], apply_set="tenants")
    done = apply(tenants, [FOO, BAR, inside("own")], apply_set="tenants")
    assert done.pruned == ["ConfigMap bar/left"]
    assert "/api/v1/namespaces/bar/configmaps/copy" in tenants[0].objects
    assert done.spared == ["ConfigMap bar/copy"]
    (failure,) = apply(tenants, [FOO], apply_set="tenants").failures
    assert "ConfigMap copy" in failure, "nor does it make the namespace ours"


def test_without_pruning_the_surplus_stays_and_is_not_forgotten(tenants: tuple[State, Path]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "old", "namespace": "bar"}}
    apply(tenants, [FOO, BAR, inside("own"), secret], apply_set="tenants")
    kept = apply(tenants, [FOO, BAR, inside("new")], apply_set="tenants", prune=False)
    assert (kept.failures, kept.pruned, kept.changed) == ([], [], ["ConfigMap bar/new"])
    assert apply(tenants, [FOO, BAR, inside("new")], apply_set="tenants", prune=False).changed == []
    done = apply(tenants, [FOO, BAR, inside("new")], apply_set="tenants")
    assert sorted(done.pruned) == ["ConfigMap bar/own", "Secret bar/old"]


def test_what_pruning_would_refuse_is_refused_without_pruning_too(tenants: tuple[State, Path]) -> None:
    """The run that prunes comes after others have been applied: too late to refuse."""
    by_hand(tenants, inside("mine"))
    assert "ConfigMap mine" in apply(tenants, [FOO], apply_set="tenants", prune=False).failures[0]
    kept = apply(tenants, [FOO], apply_set="tenants", prune=False, remove=["bar"])
    assert (kept.failures, kept.pruned) == ([], []) and "/api/v1/namespaces/bar" in tenants[0].objects


def test_what_cannot_be_read_is_a_failure_and_nothing_is_applied(tenants: tuple[State, Path]) -> None:
    tenants[0].pages["/api/v1/namespaces/bar/secrets"] = lambda path, query: (403, {"message": "forbidden"})
    sent = list(tenants[0].log)
    outcome = kube_apply.apply_all(
        Client(str(tenants[1]), None, "test"), [FOO], "tenants", False, True, time.monotonic() + 5
    )
    assert len(outcome.failures) == 1 and "forbidden" in outcome.failures[0] and tenants[0].log == sent
