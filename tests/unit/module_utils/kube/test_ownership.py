"""Whose an object is, and what is refused about it."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube import ownership

PART = {"twinstack.core/part": "canary"}


def route(labels: dict[str, str] | None = None, *entries: tuple[str, str], **metadata: Any) -> dict[str, Any]:
    """A route. entries: who wrote it, and how."""
    fields = [{"manager": manager, "operation": operation} for manager, operation in entries]
    metadata = {"name": "web", "namespace": "bar", "labels": labels or {}, "managedFields": fields, **metadata}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata}


def test_who_wrote_it_is_told_without_those_of_its_status() -> None:
    item = route({}, ("kubectl-edit", "Update"), ("Helm", "Apply"), ("kubectl-edit", "Apply"))
    item["metadata"]["managedFields"].append({"manager": "istiod", "operation": "Update", "subresource": "status"})
    assert ownership.managers(item) == ["kubectl-edit", "Helm"]


def test_both_owners_and_the_next_commands_are_named() -> None:
    owner = {"kind": "Shop", "name": "books", "uid": "1"}
    before = route({"app.kubernetes.io/managed-by": "Helm"}, ("helm", "Update"), ownerReferences=[owner])
    finding = ownership.conflict(before, route(PART), "twinstack")
    assert finding is not None and finding.line() == (
        "VirtualService bar/web: owner: found an object of others (helm, app.kubernetes.io/managed-by=Helm, owned by "
        "Shop books); expected no such object, or one of twinstack's apply set canary. "
        "Try: kubectl -n bar get virtualservice web -o yaml --show-managed-fields; another name, or to hand it over: "
        "kubectl -n bar label virtualservice web twinstack.core/part=canary"
    )


def test_ours_by_label_or_by_an_apply_is_no_conflict() -> None:
    wanted = route(PART)
    for before in (
        None,
        route({"twinstack.core/part": "tenants"}, ("kubectl", "Update")),
        route({}, ("twinstack", "Apply"), ("kubectl", "Update")),
    ):
        assert ownership.conflict(before, wanted, "twinstack") is None
    for before in (route({}, ("twinstack", "Update")), route({}, ("twinstack-rollout", "Apply")), route()):
        assert ownership.conflict(before, wanted, "twinstack") is not None


def test_without_an_apply_set_there_is_no_label_to_hand_it_over_by() -> None:
    finding = ownership.conflict(route({}, ("kubectl", "Update")), route(), "twinstack")
    assert finding is not None and "label" not in finding.hint and finding.expected.endswith("or one of twinstack")


def test_a_namespace_of_an_apply_set_needs_its_label() -> None:
    """It would be pruned with all that is in it."""
    before = route({}, ("twinstack", "Apply"), name="bar", namespace="") | {"kind": "Namespace"}
    wanted = before | {"metadata": {"name": "bar", "labels": PART}}
    finding = ownership.conflict(before, wanted, "twinstack")
    assert finding is not None and finding.where == "Namespace bar" and "another name than bar" in finding.hint
    assert ownership.conflict(before, before, "twinstack") is None
