"""What is in a namespace, and what of it this project did not make. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Object
from ansible_collections.twinstack.core.plugins.module_utils.kube.ownership import is_ours, managers

SHOWN = 10  # objects that a message names; it says how many there are
CLAIM = "PersistentVolumeClaim"  # what is in the volume goes with it
# What Kubernetes and istiod put into namespaces by themselves: kinds of which nobody misses an object,
PASSING = ("Event", "Lease")
# names of objects in every namespace,
EVERYWHERE = {
    "ConfigMap": re.compile(r"kube-root-ca\.crt|istio-ca-(root-cert|crl)(-.+)?"),
    "ServiceAccount": re.compile("default"),
}
# and kinds that their controllers also make for themselves, with the managers by which they are told from others'.
OF_CONTROLLERS = ("ConfigMap", "Secret", "Endpoints", "EndpointSlice", "ServiceAccount")
CONTROLLERS = {"kube-controller-manager", "pilot-discovery"}


@dataclass(frozen=True)
class Contents:
    """What is in a namespace.

    objects: how many by kind, without what Kubernetes and istiod make by themselves. others: what this project did not
    make and volume claims, as ``Kind name``, without what hangs on those.
    """

    objects: Mapping[str, int]
    others: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"objects": dict(self.objects), "others": list(self.others)}

    def counted(self) -> str:
        """All objects in words."""
        return ", ".join(f"{kind} {number}" for kind, number in self.objects.items()) or "nothing"

    def told(self) -> str:
        """The first objects of others in words, and how many there are."""
        return first(self.others)


def first(names: Sequence[str]) -> str:
    """The first names, and how many objects there are if those are not all."""
    more = f", … ({len(names)} objects)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def classify(items: Sequence[Object], manager: str, namespaced: Set[tuple[str, str]]) -> Contents:
    """What is in a namespace. items: all of its objects, their metadata is enough; manager: of the apply sets.

    namespaced: group and kind of all that lives in namespaces.
    """
    unique = list({item["metadata"].get("uid") or _name(item): item for item in items}.values())
    found = _Contents(unique, manager, namespaced)
    whose = [(item, found.whose(item)) for item in unique]
    counts = Counter(item["kind"] for item, owner in whose if owner != "cluster")
    roots, hanging = (sorted(_name(item) for item, owner in whose if owner == one) for one in ("others", "theirs"))
    return Contents(dict(sorted(counts.items())), tuple(roots or hanging))  # of a circle none is a root


def _name(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


class _Contents:
    """Objects of one namespace by what they hang on."""

    def __init__(self, items: Sequence[Object], manager: str, namespaced: Set[tuple[str, str]]) -> None:
        self._by_uid = {item["metadata"]["uid"]: item for item in items if item["metadata"].get("uid")}
        self._services = {item["metadata"]["name"]: item for item in items if item["kind"] == "Service"}
        self._manager = manager
        self._namespaced = namespaced

    def whose(self, item: Object, above: tuple[str, ...] = ()) -> str:
        """``cluster`` makes or removes it by itself, ``ours``, ``others``, or ``theirs``: hangs on something of others.

        above: names of what was followed to here, so that a circle has an end.
        """
        if item["metadata"].get("deletionTimestamp"):
            return "cluster"
        if item["kind"] == CLAIM:
            labelled = APPLY_SET_LABEL in (item["metadata"].get("labels") or {})
            return "ours" if labelled and is_ours(item, self._manager) else "others"
        if _by_itself(item) or self._garbage(item):
            return "cluster"
        if is_ours(item, self._manager):
            return "ours"
        if _name(item) in above:
            return "others"
        carriers = [self.whose(one, (*above, _name(item))) for one in self._carriers(item)]
        if not carriers:
            return "others"
        return next((one for one in ("ours", "cluster") if one in carriers), "theirs")

    def _garbage(self, item: Object) -> bool:
        """Whether all that an object hangs on is gone, such as a pod's ReplicaSet: Kubernetes removes it in a moment.

        Nobody knows so of what lives in no namespace.
        """
        references = item["metadata"].get("ownerReferences") or []
        return bool(references) and all(
            one["uid"] not in self._by_uid
            and (str(one["apiVersion"]).rpartition("/")[0], one["kind"]) in self._namespaced
            for one in references
        )

    def _carriers(self, item: Object) -> list[Object]:
        """What an object hangs on and goes with, as far as it is in the namespace."""
        references = item["metadata"].get("ownerReferences") or []
        found = [self._by_uid[one["uid"]] for one in references if one.get("uid") in self._by_uid]
        if item["kind"] == "Endpoints" and item["metadata"]["name"] in self._services:
            found.append(self._services[item["metadata"]["name"]])
        return found


def _by_itself(item: Object) -> bool:
    """Whether Kubernetes or istiod made an object without being asked by anybody."""
    kind, writers = item["kind"], set(managers(item))
    everywhere = EVERYWHERE.get(kind)
    if kind in PASSING or (everywhere and everywhere.fullmatch(item["metadata"]["name"])):
        return True
    return kind in OF_CONTROLLERS and bool(writers) and writers <= CONTROLLERS
