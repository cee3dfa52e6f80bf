"""What a namespace says about why it does not go."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import holds
from ansible_collections.twinstack.core.plugins.module_utils.kube.holds import Hold


def space(conditions: dict[str, str], status: str = "True", **metadata: Any) -> dict[str, Any]:
    """A namespace that is being removed."""
    metadata = {"name": "bar", "deletionTimestamp": "2026-11-24T06:00:00Z", **metadata}
    told = [{"type": name, "status": status, "message": message} for name, message in conditions.items()]
    return {"kind": "Namespace", "metadata": metadata, "status": {"conditions": told}}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, []),
        ({holds.DISCOVERY: "a", holds.PARSING: "b"}, [Hold(holds.DISCOVERY, "a", 10), Hold(holds.PARSING, "b", 10)]),
        (
            {holds.CONTENT: 'admission webhook "a.b" denied the request', holds.REMAINING: "r"},
            [Hold(holds.CONTENT, 'admission webhook "a.b" denied the request', 10), Hold(holds.REMAINING, "r")],
        ),
        ({holds.CONTENT: "unexpected items still remain"}, [Hold(holds.CONTENT, "unexpected items still remain")]),
        (
            {
                holds.FINALIZERS: "x: a.b/c in 1 resource instances",
                holds.REMAINING: "left out: the finalizers say more",
            },
            [Hold(holds.FINALIZERS, "x: a.b/c in 1 resource instances", 20)],
        ),
        (
            {holds.FINALIZERS: "x: orphan in 2 resource instances, service.kubernetes.io/x in 1 resource instances"},
            [
                Hold(
                    holds.FINALIZERS,
                    "x: orphan in 2 resource instances, service.kubernetes.io/x in 1 resource instances",
                )
            ],
        ),
    ],
)
def test_what_its_conditions_mean(conditions: dict[str, str], expected: list[Hold]) -> None:
    assert holds.holds(space(conditions)) == expected
    assert holds.holds(space(conditions, status="False")) == []


def test_finalizers_of_its_own_count_when_nothing_is_left_in_it() -> None:
    own: dict[str, Any] = {"finalizers": ["a.b/c", "d.e/f"]}
    assert holds.holds(space({}, **own)) == [Hold(holds.OWN_FINALIZERS, "a.b/c, d.e/f", 20)]
    assert [hold.condition for hold in holds.holds(space({holds.REMAINING: "pods"}, **own))] == [holds.REMAINING]


def test_one_that_nobody_removes_is_held_by_nothing() -> None:
    assert holds.holds({"metadata": {"name": "bar", "finalizers": ["a.b/c"]}}) == []


def test_finalizers_of_kubernetes_are_told_from_others() -> None:
    names = ["foregroundDeletion", "kubernetes.io/pvc-protection", "batch.kubernetes.io/job-tracking", "x.k8s.io/y"]
    assert holds.foreign([*names, "a.b/c", "notkubernetes.io/x"]) == ["a.b/c", "notkubernetes.io/x"]


def test_whose_a_webhook_is() -> None:
    items = [
        {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": name}, "webhooks": [{"name": f"{name}.b"}]}
        for name in ("a", "c")
    ]
    assert holds.webhook_owners(items, "c.b") == ["ValidatingWebhookConfiguration c"]
    assert holds.refused_by_webhook("anything else") == ""
