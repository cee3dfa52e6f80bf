"""Node ports that Services request and others hold: what must go first, and what cannot be. Pure.

The API server refuses such a Service when others have been applied already; this is known before. Its allocator knows
numbers only, whatever the protocol (kubernetes: pkg/registry/core/service/portallocator).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Key, Object, key_of


@dataclass(frozen=True)
class Clashes:
    """What of the wanted node ports others hold.

    refusals: lines of text. leaving: Services that the set holds no more and whose ports are wanted. first: wanted
    Services that move away from a port that another one waits for, in the order in which they must be applied.
    waiting: wanted Services that cannot have their ports before.
    """

    refusals: tuple[str, ...] = ()
    leaving: tuple[Key, ...] = ()
    first: tuple[Key, ...] = ()
    waiting: frozenset[Key] = frozenset()

    def moved(self, item: Object) -> bool:
        """Whether a wanted object was applied before all others, to make room."""
        return item["kind"] == "Service" and service_key(item) in self.first


def node_ports(item: Object) -> set[int]:
    """Node ports that a Service names or holds."""
    if item["kind"] != "Service":
        return set()
    spec = item.get("spec", {})
    found = {int(port["nodePort"]) for port in spec.get("ports") or [] if port.get("nodePort")}
    return found | ({int(spec["healthCheckNodePort"])} if spec.get("healthCheckNodePort") else set())


def service_key(item: Object) -> Key:
    """The key of a Service; without a namespace it is in the default one."""
    key = key_of(item)
    return Key(key.api_version, key.kind, key.namespace or "default", key.name)


def _set_of(item: Object) -> str:
    return str((item["metadata"].get("labels") or {}).get(APPLY_SET_LABEL, ""))


def _moves(held: Object, wanted: Object, number: int) -> bool:
    """Whether a Service leaves a node port that it holds: it keeps one that it does not name otherwise."""
    if wanted["spec"].get("type", "ClusterIP") == "ClusterIP":
        return True
    names = {port.get("name", "") for port in held["spec"]["ports"] if port.get("nodePort") == number}
    left = [port for port in wanted["spec"].get("ports") or [] if port.get("name", "") in names]
    return all(port.get("nodePort") not in (None, number) for port in left)


def clashes(wanted: Iterable[Object], there: Iterable[Object], apply_set: str) -> Clashes:
    """What of the wanted Services' node ports others have. there: all of the cluster; apply_set: of the wanted."""
    asked = {service_key(item): item for item in wanted if item["kind"] == "Service"}
    held = {number: item for item in there for number in node_ports(item)}
    refusals: list[str] = []
    leaving: list[Key] = []
    waits: dict[Key, set[Key]] = {}
    waiting: set[Key] = set()
    for key, item in asked.items():
        for number in sorted(node_ports(item)):
            holder = held.get(number)
            other = service_key(holder) if holder else key
            if holder is None or other == key:
                continue
            if other in asked and number not in node_ports(asked[other]) and _moves(holder, asked[other], number):
                waits.setdefault(key, set()).add(other)
                waiting.add(key)
            elif other not in asked and apply_set and _set_of(holder) == apply_set:
                leaving.append(other)
                waiting.add(key)
            else:
                refusals.append(f"{key}: found node port {number} taken by {other}; expected a free one")
    order, exchanged = _order(waits)
    for key in exchanged:
        others = ", ".join(sorted(str(other) for other in waits[key]))
        refusals.append(f"{key}: found its node port exchanged with {others}; expected a free port in between")
    return Clashes(tuple(refusals), tuple(dict.fromkeys(leaving)), order, frozenset(waiting))


def _order(waits: Mapping[Key, set[Key]]) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    """Services that others wait for, each after those that it waits for itself; and those that wait for themselves."""
    done: list[Key] = []
    left = {other for others in waits.values() for other in others} | set(waits)
    while True:
        ready = sorted((key for key in left if not waits.get(key, set()) & left), key=str)
        if not ready:
            break
        done += ready
        left -= set(ready)
    needed = {other for others in waits.values() for other in others}
    return tuple(key for key in done if key in needed), tuple(sorted((key for key in left if key in waits), key=str))
