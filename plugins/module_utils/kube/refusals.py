"""What an apply set must not take over or delete, read and judged before anything of it is applied."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube import ownership, survey
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.contents import Contents, classify
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import (
    APPLY_SET_LABEL,
    Key,
    Object,
    key_of,
    mixed_revision,
)


@dataclass(frozen=True)
class Allowed:
    """What the user named. adopt: objects of others that may be taken over. remove_namespaces: namespaces that may be
    deleted with everything in them. variable: where the user names those.
    """

    adopt: frozenset[Key] = frozenset()
    remove_namespaces: frozenset[str] = frozenset()
    variable: str = "remove_namespaces"


@dataclass
class Judged:
    """What came of it. findings: why nothing may be applied. namespaces: what the set would delete them with."""

    findings: list[Finding] = field(default_factory=list)
    namespaces: dict[str, Contents] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The namespaces as plain data."""
        return {name: contents.as_dict() for name, contents in self.namespaces.items()}


def conflicts(
    wanted: Iterable[Object], there: Mapping[Key, Object | None], manager: str, adopt: frozenset[Key]
) -> list[Finding]:
    """Objects of others that the wanted ones would take over, and namespaces of another revision of the mesh."""
    found = []
    for item in wanted:
        key = key_of(item)
        finding = None if key in adopt else ownership.conflict(there.get(key), item, manager)
        mixed = mixed_revision(there.get(key), item) if key.kind == "Namespace" and not finding else ""
        if mixed:
            told, _, hint = mixed.removeprefix("found ").partition(". Try: ")
            finding = Finding(str(key), "labels", told, "one of them", hint)
        found += [finding] if finding else []
    return sorted(found)


def pruned_namespaces(spaces: Iterable[Object], wanted: Iterable[Object], apply_set: str, manager: str) -> list[Object]:
    """Namespaces that the set holds and does not want any more; one that is on its way already is not asked about.

    spaces: all of the cluster.
    """
    kept = {item["metadata"]["name"] for item in wanted if item["kind"] == "Namespace"}
    return [
        item
        for item in spaces
        if (item["metadata"].get("labels") or {}).get(APPLY_SET_LABEL) == apply_set
        and ownership.applied_by(item, manager)
        and item["metadata"]["name"] not in kept
        and not item["metadata"].get("deletionTimestamp")
    ]


def removals(
    cluster: Client, spaces: Sequence[Object], wanted: Sequence[Object], apply_set: str, allowed: Allowed
) -> Judged:
    """What the set's pruned namespaces hold, and those among them that must not be deleted. spaces: all of the cluster.

    A namespace goes by its name when it holds anything of others, or when another one is new in the same run.
    """
    doomed = [item["metadata"]["name"] for item in pruned_namespaces(spaces, wanted, apply_set, cluster.manager)]
    judged = Judged()
    if not doomed:
        return judged
    served = cluster.discover()
    if served.stale:
        judged.findings = _unknown(cluster, served.stale, doomed)
        return judged
    there = {item["metadata"]["name"] for item in spaces}
    new = [item["metadata"]["name"] for item in wanted if item["kind"] == "Namespace"]
    new = [name for name in new if name not in there]
    for name, items in survey.inside(cluster, served.resources, doomed).items():
        contents = judged.namespaces[name] = classify(items, cluster.manager, served.kinds)
        if name not in allowed.remove_namespaces and (contents.others or new):
            judged.findings.append(_refusal(name, contents, new, allowed.variable))
    return judged


def _refusal(name: str, contents: Contents, new: Sequence[str], variable: str) -> Finding:
    """Why a namespace is not deleted."""
    reasons = []
    if new:
        verb = "is" if len(new) == 1 else "are"
        reasons.append(
            f"{name} is gone and {', '.join(new)} {verb} new: a namespace cannot be renamed, "
            f"{name} would be deleted with everything in it ({contents.counted()})"
        )
    if contents.others:
        reasons.append(f"objects in it that are not this project's, or volume claims: {contents.told()}")
    given = json.dumps({variable: [name]})
    hint = f"{name} back where it was listed, or to delete everything in it: -e '{given}'"
    return Finding(f"Namespace {name}", variable, "; and ".join(reasons), f"{name} in it", hint)


def _unknown(cluster: Client, stale: Sequence[str], doomed: Sequence[str]) -> list[Finding]:
    """Servers of the API without whose answer nobody knows what is in a namespace, nor does its deletion end."""
    spaces = f"Namespace {', '.join(doomed)}"
    expected = "an answer of every server: else nobody knows what is deleted, and the deletion has no end"
    dead = survey.dead_services(cluster)
    if not dead:
        return [Finding(spaces, "API", f"no answer for {', '.join(stale)}", expected, "kubectl get apiservices")]
    return [Finding(spaces, "API", str(one), expected, one.hint) for one in dead]
