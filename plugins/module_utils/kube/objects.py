"""What applying Kubernetes objects decides: names, order, differences, readiness, what to prune. Talks to nobody."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

with suppress(ImportError):  # kube.module reports what is missing
    import yaml

Object = dict[str, Any]

#: Kinds that others need, in the order in which they have to be there. All others come after.
FIRST_KINDS = ("Namespace", "CustomResourceDefinition")
#: Kinds of which pods come. All other kinds come before them, so that no pod looks for something in vain.
WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet", "ReplicaSet", "CronJob", "Job", "Pod")
#: What the API server itself writes; no difference between two states of an object that people mean.
SERVER_FIELDS = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
APPLY_SET_LABEL = "twinstack.core/part"  # not renamed: objects of existing clusters have it
APPLIED = "twinstack.core/applied"  # annotation: what an object was made from, by its hash
# What Pod Security `restricted` wants a container to say of itself, and a root file system to read only.
RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
APPLY_SETS_NAMESPACE = "kube-system"  # where the record of each apply set's kinds lies
REDACTED = "(secret)"


@dataclass(frozen=True, order=True)
class Key:
    """What makes an object unique. namespace: empty for cluster-wide objects."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def key_of(item: Mapping[str, Any]) -> Key:
    """The object's key."""
    metadata = item["metadata"]
    return Key(item["apiVersion"], item["kind"], metadata.get("namespace") or "", metadata["name"])


def problems(objects: Sequence[Any]) -> list[str]:
    """What is wrong with a list of objects before any of them is sent: all of it."""
    found: list[str] = []
    seen: dict[Key, int] = {}
    for number, item in enumerate(objects):
        where = f"objects[{number}]"
        if not isinstance(item, dict):
            found.append(f"{where}: found {type(item).__name__}; expected an object")
            continue
        metadata = item.get("metadata")
        fields = {"apiVersion": item.get("apiVersion"), "kind": item.get("kind")}
        fields["metadata.name"] = metadata.get("name") if isinstance(metadata, dict) else None
        missing = [name for name, value in fields.items() if not isinstance(value, str) or not value]
        found += [f"{where}: {name}: found none; expected a text" for name in missing]
        if missing:
            continue
        key = key_of(item)
        if key in seen:
            found.append(f"{where}: found {key} again; expected it once, it is objects[{seen[key]}] too")
        seen.setdefault(key, number)
    return found


def labelled(objects: Iterable[Object], apply_set: str) -> list[Object]:
    """Copies of the objects with the label of their apply set; as they are without one."""
    if not apply_set:
        return list(objects)
    copies = []
    for item in objects:
        metadata = dict(item["metadata"])
        metadata["labels"] = {**(metadata.get("labels") or {}), APPLY_SET_LABEL: apply_set}
        copies.append({**item, "metadata": metadata})
    return copies


def hashed(item: Object) -> Object:
    """A copy of the object with an annotation of what it was made from. A Secret's hash would reveal too much."""
    if item["kind"] == "Secret":
        return item
    found = hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()
    metadata = {**item["metadata"], "annotations": {**(item["metadata"].get("annotations") or {}), APPLIED: found}}
    return {**item, "metadata": metadata}


def unchanged(before: Object | None, wanted: Object) -> bool:
    """Whether an apply would surely change nothing: made from the same, and every value is still what it was.

    False says nothing: the API server fills in, orders and spells some values in its own way, and decides then.
    """
    if before is None or APPLIED not in (wanted["metadata"].get("annotations") or {}):
        return False
    return _holds(before, wanted)


def mixed_revision(before: Object | None, wanted: Object) -> str:
    """Why a namespace that is there would get another revision of the mesh than the wanted one; empty when it won't."""
    name, labels = wanted["metadata"]["name"], (before or {"metadata": {}})["metadata"].get("labels") or {}
    # Istio follows the older label when a namespace has both, so the revision would be another than the wanted one.
    if "istio.io/rev" in (wanted["metadata"].get("labels") or {}) and "istio-injection" in labels:
        found = f"istio-injection={labels['istio-injection']}"
        return f"found the label {found} beside istio.io/rev. Try: kubectl label namespace {name} istio-injection-"
    return ""


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        kept = {name: value for name, value in wanted.items() if value is not None}
        return isinstance(found, dict) and all(name in found and _holds(found[name], kept[name]) for name in kept)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
    return type(found) is type(wanted) and bool(found == wanted)


def waves(objects: Iterable[Object]) -> list[list[Object]]:
    """The objects in groups that can be applied one after the other, each group in any order."""
    ordered = [[item for item in objects if item["kind"] == kind] for kind in FIRST_KINDS]
    ordered.append([item for item in objects if item["kind"] not in FIRST_KINDS + WORKLOADS])
    ordered.append([item for item in objects if item["kind"] in WORKLOADS])
    return [wave for wave in ordered if wave]


def announced(objects: Iterable[Object]) -> tuple[set[tuple[str, str]], set[str]]:
    """What the objects bring themselves: (apiVersion, kind) of custom resources, and names of namespaces."""
    kinds: set[tuple[str, str]] = set()
    spaces: set[str] = set()
    for item in objects:
        if item["kind"] == "CustomResourceDefinition":
            spec = item["spec"]
            kinds |= {(f"{spec['group']}/{version['name']}", spec["names"]["kind"]) for version in spec["versions"]}
        elif item["kind"] == "Namespace":
            spaces.add(item["metadata"]["name"])
    return kinds, spaces


def plain(item: Object | None) -> Object | None:
    """An object without what the API server writes and without status; a Secret's values are replaced."""
    if item is None:
        return None
    found = {name: value for name, value in item.items() if name != "status"}
    found["metadata"] = {name: value for name, value in item["metadata"].items() if name not in SERVER_FIELDS}
    if item.get("kind") == "Secret":
        for field in ("data", "stringData"):
            if found.get(field):
                found[field] = dict.fromkeys(found[field], REDACTED)
    return found


def differs(before: Object | None, after: Object) -> bool:
    """Whether an answer to an apply is another object than the one before it.

    The content decides, not the resource version: a controller may write a status between the look and the apply.
    """
    return before is None or _content(before) != _content(after)


def _content(item: Object) -> Object:
    content = {name: value for name, value in item.items() if name != "status"}
    content["metadata"] = {name: value for name, value in item["metadata"].items() if name not in SERVER_FIELDS}
    return content


def difference(key: Key, before: Object | None, after: Object | None) -> dict[str, str]:
    """One entry for Ansible's --diff."""
    return {
        "before_header": str(key),
        "after_header": str(key),
        "before": "" if before is None else yaml.safe_dump(plain(before), sort_keys=True),
        "after": "" if after is None else yaml.safe_dump(plain(after), sort_keys=True),
    }


def tls_secret(namespace: str, name: str, certificate: str, key: str) -> Object:
    """A Secret that servers read their certificate from. certificate, key: PEM.

    In ``data``, as it is kept: what is given in ``stringData`` would count as a change on every apply.
    """
    values = {"tls.crt": certificate, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "data": {field: base64.b64encode(text.encode()).decode() for field, text in values.items()},
    }


def kinds_record(apply_set: str, kinds: Iterable[tuple[str, str]]) -> Object:
    """The object that remembers (apiVersion, kind) of all that an apply set has ever applied and not yet pruned."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"twinstack-part-{apply_set}", "namespace": APPLY_SETS_NAMESPACE},
        "data": {"kinds": "".join(f"{version} {kind}\n" for version, kind in sorted(set(kinds)))},
    }


def recorded_kinds(record: Object | None) -> set[tuple[str, str]]:
    """What such an object says; nothing when there is none."""
    lines = ((record or {}).get("data") or {}).get("kinds", "").splitlines()
    return {(version, kind) for version, _, kind in (line.partition(" ") for line in lines)}


def last_first(objects: Iterable[Object]) -> list[Object]:
    """The objects in the order in which they are removed: what others need goes last."""
    return [item for wave in reversed(waves(objects)) for item in wave]


def surplus(found: Iterable[Object], wanted: Iterable[Object]) -> list[Object]:
    """Objects that have an apply set's label and are not wanted any more."""
    keep = {key_of(item) for item in wanted}
    return [item for item in found if key_of(item) not in keep]


# --- readiness ----------------------------------------------------------------------------------------------------


def unready(item: Object | None, condition: str) -> str:
    """Why an object is not ready; empty when it is.

    condition: name of a condition that has to be True, or empty for what the kind itself calls complete.
    """
    if item is None:
        return "not there"
    if condition:
        return _condition(item, condition)
    judge = _JUDGES.get(item["kind"])
    return judge(item) if judge else _condition(item, "Ready")


def _condition(item: Object, wanted: str) -> str:
    for condition in item.get("status", {}).get("conditions") or []:
        if condition["type"] == wanted:
            if condition["status"] == "True":
                return ""
            reason = condition.get("message") or condition.get("reason") or condition["status"]
            return f"{wanted} is {condition['status']}: {reason}"
    return f"no condition {wanted}"


def _stale(item: Object) -> bool:
    return int(item.get("status", {}).get("observedGeneration", 0)) < int(item["metadata"].get("generation", 0))


def _daemon_set(item: Object) -> str:
    status = item.get("status", {})
    wanted = int(status.get("desiredNumberScheduled", 0))
    updated, ready = int(status.get("updatedNumberScheduled", 0)), int(status.get("numberReady", 0))
    if _stale(item):
        return "the controller has not seen the newest version"
    return "" if updated >= wanted and ready >= wanted else f"{updated} of {wanted} up to date, {ready} ready"


def _replicas(item: Object) -> str:
    status = item.get("status", {})
    wanted = int(item["spec"].get("replicas", 1))
    updated, ready = int(status.get("updatedReplicas", 0)), int(status.get("readyReplicas", 0))
    if _stale(item):
        return "the controller has not seen the newest version"
    current = int(status.get("replicas", 0))
    if updated >= wanted and ready >= wanted and current <= wanted:
        return ""
    refused = [
        condition.get("message", "")
        for condition in status.get("conditions") or []
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True"
    ]
    return "; ".join([f"{updated} of {wanted} up to date, {ready} ready, {current} there", *refused])


_JUDGES: dict[str, Callable[[Object], str]] = {
    "CustomResourceDefinition": lambda item: _condition(item, "Established"),
    "DaemonSet": _daemon_set,
    "Deployment": _replicas,
    "StatefulSet": _replicas,
    "Namespace": lambda item: (
        "" if item.get("status", {}).get("phase", "Active") == "Active" else "the namespace is being removed"
    ),
}
