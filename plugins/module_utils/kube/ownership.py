"""Whose an object is, by what the API server noted about who wrote it; and why one must not be taken over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Object, key_of

PROJECT = "twinstack-"  # what the field managers of verification, scenarios and load begin with
MANAGED_BY = "app.kubernetes.io/managed-by"  # label: the tool that an object belongs to


def _entries(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(item["metadata"].get("managedFields") or [])


def managers(item: Mapping[str, Any]) -> list[str]:
    """Who wrote the object's fields, its status left out."""
    return list(dict.fromkeys(str(one.get("manager")) for one in _entries(item) if not one.get("subresource")))


def applied_by(item: Mapping[str, Any], manager: str) -> bool:
    """Whether this manager applied the object. A patch does not count: the rollout marks users' own workloads so."""
    return any(one.get("operation") == "Apply" and one.get("manager") == manager for one in _entries(item))


def is_ours(item: Mapping[str, Any], manager: str) -> bool:
    """Whether this project made the object, whatever for. A label alone says nothing: copies of our objects have it.

    manager: the field manager of the apply sets.
    """
    applied = {str(one.get("manager")) for one in _entries(item) if one.get("operation") == "Apply"}
    return manager in applied or any(name.startswith(PROJECT) for name in applied)


def owners(item: Mapping[str, Any]) -> str:
    """Whose the object is, for people: its managers, the tool it belongs to, the objects it hangs on."""
    metadata = item["metadata"]
    told = [" and ".join(managers(item)) or "an unknown manager"]
    tool = (metadata.get("labels") or {}).get(MANAGED_BY)
    told += [f"{MANAGED_BY}={tool}"] if tool else []
    told += [f"owned by {one['kind']} {one['name']}" for one in metadata.get("ownerReferences") or []]
    return ", ".join(told)


def conflict(before: Object | None, wanted: Object, manager: str) -> Finding | None:
    """Why an object that is there already must not be taken over; None when it may, or is not there.

    A namespace of an apply set needs the set's label: it would be pruned with all that is in it. Other objects need any
    set's label, or to have been applied by the manager.
    """
    if before is None or APPLY_SET_LABEL in (before["metadata"].get("labels") or {}):
        return None
    apply_set = (wanted["metadata"].get("labels") or {}).get(APPLY_SET_LABEL)
    space = wanted["kind"] == "Namespace"
    if applied_by(before, manager) and not (space and apply_set):
        return None
    ours = f"{manager}'s apply set {apply_set}" if apply_set else manager
    if space:
        found, name = f"a namespace that this project did not make ({owners(before)})", wanted["metadata"]["name"]
        hint = f"another name than {name}; kubectl get namespace {name} -o yaml --show-managed-fields"
        return Finding(f"Namespace {name}", "owner", found, f"a free name, or a namespace of {ours}", hint)
    key = key_of(wanted)
    target = f"{'-n ' + key.namespace + ' ' if key.namespace else ''}{{}} {key.kind.lower()} {key.name}"
    look = f"kubectl {target.format('get')} -o yaml --show-managed-fields"
    label = f"kubectl {target.format('label')} {APPLY_SET_LABEL}={apply_set}"
    hint = f"{look}; another name, or to hand it over: {label}" if apply_set else look
    found = f"an object of others ({owners(before)})"
    return Finding(str(key), "owner", found, f"no such object, or one of {ours}", hint)
