"""Names, order, differences and readiness of Kubernetes objects."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key


def thing(kind: str, name: str, api_version: str = "v1", **more: Any) -> dict[str, Any]:
    """A small object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def test_all_problems_of_a_list_are_reported_at_once() -> None:
    objects = [thing("Node", "a"), "text", {"kind": "Node", "metadata": {}}, thing("Node", "a")]
    assert kube_objects.problems(objects) == [
        "objects[1]: found str; expected an object",
        "objects[2]: apiVersion: found none; expected a text",
        "objects[2]: metadata.name: found none; expected a text",
        "objects[3]: found Node a again; expected it once, it is objects[0] too",
    ]


def test_namespaces_come_first_then_definitions_and_what_pods_come_of_last() -> None:
    objects = [
        thing("Service", "s"),
        thing("CustomResourceDefinition", "c"),
        thing("Namespace", "n"),
        thing("Pod", "p"),
    ]
    waves = [[item["metadata"]["name"] for item in wave] for wave in kube_objects.waves(objects)]
    assert waves == [["n"], ["c"], ["s"], ["p"]]


def test_what_the_objects_bring_themselves() -> None:
    spec = {"group": "example.org", "names": {"kind": "Thing"}, "versions": [{"name": "v1"}, {"name": "v2"}]}
    definition = thing("CustomResourceDefinition", "things.example.org", spec=spec)
    kinds, spaces = kube_objects.announced([definition, thing("Namespace", "n")])
    assert kinds == {("example.org/v1", "Thing"), ("example.org/v2", "Thing")}
    assert spaces == {"n"}


def test_an_apply_set_labels_copies_only() -> None:
    item = thing("Pod", "p")
    labelled = kube_objects.labelled([item], "network")
    assert labelled[0]["metadata"]["labels"] == {"twinstack.core/part": "network"}
    assert "labels" not in item["metadata"]
    assert kube_objects.labelled([item], "") == [item]


def test_status_and_the_servers_own_fields_are_no_difference() -> None:
    before = thing("Pod", "p", spec={"a": 1}, status={"phase": "Pending"})
    after = thing("Pod", "p", spec={"a": 1}, status={"phase": "Running"})
    before["metadata"] |= {"managedFields": [1], "resourceVersion": "5"}
    after["metadata"] |= {"managedFields": [1, 2], "resourceVersion": "5"}
    assert not kube_objects.differs(before, after)
    assert kube_objects.differs(before, after | {"spec": {"a": 2}})
    assert kube_objects.differs(None, after)
    after["metadata"]["resourceVersion"] = "6"
    assert not kube_objects.differs(before, after), "somebody else wrote a status meanwhile"


def test_a_secrets_values_stay_out_of_the_difference() -> None:
    secret = thing("Secret", "s", data={"password": "Y2FuYXJ5"}, stringData={"other": "canary"})
    shown = kube_objects.difference(kube_objects.key_of(secret), None, secret)
    assert "canary" not in str(shown)
    assert "Y2FuYXJ5" not in str(shown)
    assert "password: (secret)" in shown["after"]


def test_surplus_is_what_is_not_wanted() -> None:
    one, two = thing("Pod", "one"), thing("Pod", "two")
    assert kube_objects.surplus([one, two], [one]) == [two]


QUOTA = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: exceeded quota'}
BEHIND = {"updatedReplicas": 1, "readyReplicas": 1, "replicas": 1}
READY: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"conditions": [{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}]}


@pytest.mark.parametrize(
    ("item", "condition", "reason"),
    [
        (None, "", "not there"),
        (thing("Node", "n", status=READY), "", ""),
        (thing("Node", "n", status=UNREADY), "", "Ready is False: cni plugin not initialized"),
        (thing("Node", "n", status={}), "Ready", "no condition Ready"),
        (
            thing(
                "DaemonSet", "d", status={"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 2}
            ),
            "",
            "3 of 3 up to date, 2 ready",
        ),
        (
            thing(
                "DaemonSet", "d", status={"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3}
            ),
            "",
            "",
        ),
        (
            thing(
                "Deployment",
                "d",
                spec={"replicas": 2},
                status={"updatedReplicas": 1, "readyReplicas": 2, "replicas": 3},
            ),
            "",
            "1 of 2 up to date, 2 ready, 3 there",
        ),
        (
            thing(
                "Deployment", "d", spec={"replicas": 2}, status=BEHIND | {"conditions": [*READY["conditions"], QUOTA]}
            ),
            "",
            '1 of 2 up to date, 1 ready, 1 there; pods "x" is forbidden: exceeded quota',
        ),
        (
            thing(
                "StatefulSet", "s", spec={"replicas": 2}, status=BEHIND | {"conditions": [QUOTA | {"status": "False"}]}
            ),
            "",
            "1 of 2 up to date, 1 ready, 1 there",
        ),
        (
            thing("Deployment", "d", spec={}, status={"updatedReplicas": 1, "readyReplicas": 1, "replicas": 1}),
            "",
            "",
        ),
        (thing("Namespace", "n", status={"phase": "Terminating"}), "", "the namespace is being removed"),
        (thing("CustomResourceDefinition", "c", status={}), "", "no condition Established"),
    ],
)
def test_why_an_object_is_not_ready(item: dict[str, Any] | None, condition: str, reason: str) -> None:
    assert kube_objects.unready(item, condition) == reason


def test_a_controller_that_has_not_looked_yet_is_not_ready() -> None:
    status = {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": 1}
    item = thing("DaemonSet", "d", status=status)
    item["metadata"]["generation"] = 2
    assert kube_objects.unready(item, "") == "the controller has not seen the newest version"


def test_a_key_reads_like_kubectl() -> None:
    assert str(Key("v1", "Service", "kube-system", "kube-dns")) == "Service kube-system/kube-dns"
    assert str(Key("v1", "Node", "", "cp1")) == "Node cp1"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"status": {"replicas": 1}}, True),
        ({"data": {"a": "1", "more": "of somebody else"}}, True),
        ({"data": {"a": "2"}}, False),
        ({"data": {}}, False),
        ({"items": [1, {"b": 2, "filled in": 3}]}, True),
        ({"items": [1, {"b": 2}, 3]}, False),
        ({"items": ["1", {"b": 2}]}, False),
        ({"none": None}, True),
    ],
)
def test_an_object_is_unchanged_while_every_value_is_the_applied_one(change: dict[str, Any], same: bool) -> None:
    item = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "data": {"a": "1"}, "items": [1, {"b": 2}]}
    wanted = kube_objects.hashed({**item, "none": None})
    assert kube_objects.unchanged({**wanted, **change}, wanted) is same
    assert not kube_objects.unchanged(kube_objects.hashed({**item, "data": {"a": "1", "b": "2"}}), wanted), (
        "a field left"
    )
    assert not kube_objects.unchanged(None, wanted)
    assert not kube_objects.unchanged(item, item), "without its hash nobody knows what it was made from"


def test_a_secret_bears_no_hash() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "1"}}
    assert kube_objects.hashed(secret) == secret
    assert not kube_objects.unchanged(secret, secret)
