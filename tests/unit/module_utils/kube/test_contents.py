"""What is in a namespace, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import contents

LABEL = {"twinstack.core/part": "tenants"}
KCM, ISTIOD, KUBECTL = "kube-controller-manager", "pilot-discovery", "kubectl-client-side-apply"


NAMESPACED = {("apps", kind) for kind in ("Deployment", "ReplicaSet")} | {("", "Service"), ("", "A"), ("", "B")}


def item(kind: str, name: str, *writers: str, owner: str = "", operation: str = "Update", **metadata: Any) -> Any:
    """Metadata of an object; its uid is its kind and name. owner: the uid of what it hangs on."""
    entries = [{"manager": writer, "operation": operation} for writer in writers]
    metadata = {"name": name, "uid": f"{kind} {name}", "managedFields": entries, **metadata}
    if owner:
        version = "apps/v1" if owner.startswith(("Deployment", "ReplicaSet")) else "v1"
        metadata["ownerReferences"] = [{"apiVersion": version, "kind": owner.partition(" ")[0], "uid": owner}]
    return {"kind": kind, "metadata": metadata}


def applied(kind: str, name: str, manager: str = "twinstack", **metadata: Any) -> Any:
    """An object that this manager applied, and others wrote to."""
    found = item(kind, name, manager, operation="Apply", **metadata)
    found["metadata"]["managedFields"].append({"manager": KUBECTL, "operation": "Update"})
    return found


def others(*items: Any) -> tuple[str, ...]:
    """What others made."""
    return contents.classify(items, "twinstack", NAMESPACED).others


def test_what_hangs_on_ours_is_ours_and_on_theirs_is_not_told_again() -> None:
    ours = [
        applied("Deployment", "own", labels=LABEL),
        item("ReplicaSet", "own-1", KCM, owner="Deployment own"),
        item("Pod", "own-1-a", KCM, "kubelet", owner="ReplicaSet own-1"),
    ]
    theirs = [
        item("Deployment", "mine", KUBECTL, KCM),
        item("ReplicaSet", "mine-1", KCM, owner="Deployment mine"),
        item("Pod", "mine-1-a", KCM, owner="ReplicaSet mine-1"),
    ]
    found = contents.classify([*ours, *theirs], "twinstack", NAMESPACED)
    assert found.as_dict() == {
        "objects": {"Deployment": 2, "Pod": 2, "ReplicaSet": 2},
        "others": ["Deployment mine"],
    }
    assert found.counted() == "Deployment 2, Pod 2, ReplicaSet 2"


def test_endpoints_follow_the_service_of_their_name() -> None:
    ends = [item("Endpoints", "own", "somebody"), item("EndpointSlice", "own-a", "somebody", owner="Service own")]
    assert others(applied("Service", "own"), *ends) == ()
    assert others(*ends) == ("Endpoints own",)


@pytest.mark.parametrize(
    "made",
    [
        item("ConfigMap", "kube-root-ca.crt", KCM),
        item("ConfigMap", "istio-ca-root-cert", ISTIOD),
        item("ConfigMap", "istio-ca-root-cert-canary"),
        item("ConfigMap", "istio-leader", ISTIOD),
        item("Secret", "istio-ca-secret", ISTIOD),
        item("ServiceAccount", "default"),
        item("Event", "a.1", "kubelet"),
        item("Lease", "istio-gateway", "anybody"),
        item("Endpoints", "left", KCM),
        item("Pod", "orphan", KCM, owner="ReplicaSet gone"),
        item("Pod", "going", KUBECTL, deletionTimestamp="2026-11-24T06:00:00Z"),
    ],
    ids=lambda made: f"{made['kind']}-{made['metadata']['name']}",
)
def test_what_the_cluster_makes_or_removes_by_itself_is_nobodys(made: Any) -> None:
    """Its owner is gone, or somebody has deleted it already."""
    assert contents.classify([made], "twinstack", NAMESPACED) == contents.Contents({}, ())


@pytest.mark.parametrize(
    "made",
    [
        item("ConfigMap", "kube-root-ca.crt.old", KUBECTL),
        item("ServiceAccount", "robot", KUBECTL),
        item("Secret", "token", KUBECTL, KCM),
        item("Secret", "unknown"),
        item("ReplicaSet", "orphan", KCM),
        item("ConfigMap", "gone", KUBECTL, owner="Node n1"),
        item("ConfigMap", "copy", KUBECTL, labels=LABEL),
        item("Deployment", "moved", "twinstack", KUBECTL),
        item("PersistentVolumeClaim", "data", "twinstack", operation="Apply"),
        item("PersistentVolumeClaim", "copied", KUBECTL, labels=LABEL),
    ],
    ids=lambda made: f"{made['kind']}-{made['metadata']['name']}",
)
def test_everything_else_is_somebodys(made: Any) -> None:
    """Whatever is not surely ours or the cluster's own."""
    assert others(made) == (f"{made['kind']} {made['metadata']['name']}",)


def test_claims_of_ours_and_objects_of_our_other_runs_are_ours() -> None:
    assert others(applied("PersistentVolumeClaim", "prometheus", labels=LABEL)) == ()
    assert others(applied("VirtualService", "twinstack-broken", "twinstack-demo")) == ()


def test_a_circle_of_owners_has_an_end() -> None:
    assert others(item("A", "a", owner="B b"), item("B", "b", owner="A a")) != ()


def test_an_object_of_two_groups_counts_once() -> None:
    assert contents.classify([item("Ingress", "a"), item("Ingress", "a")], "twinstack", NAMESPACED).objects == {
        "Ingress": 1
    }


def test_ten_are_named_and_all_are_counted() -> None:
    assert contents.first([str(number) for number in range(10)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert contents.first([str(number) for number in range(11)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (11 objects)"
