"""Node ports that Services ask for and others hold: what must go first, and what cannot be. Pure.

The API server refuses such a Service when others have been applied already; this is known before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.twinstack.core.plugins.module_utils.kube_objects import PART_LABEL, Key, Object, key_of

Port = tuple[str, int]  # protocol and number


@dataclass(frozen=True)
class Clashes:
    """refusals: lines of text. leaving: Services that the part holds no more and whose ports are wanted."""

    refusals: tuple[str, ...] = ()
    leaving: tuple[Key, ...] = ()


def node_ports(item: Object) -> set[Port]:
    """Node ports that a Service names."""
    if item["kind"] != "Service":
        return set()
    ports = item.get("spec", {}).get("ports") or []
    return {(port.get("protocol", "TCP"), int(port["nodePort"])) for port in ports if port.get("nodePort")}


def clashes(wanted: Iterable[Object], there: Iterable[Object], part: str) -> Clashes:
    """What of the wanted Services' node ports others have. there: all Services of the cluster; part: of the wanted."""
    asked = {key_of(item): node_ports(item) for item in wanted if item["kind"] == "Service"}
    held = {port: item for item in there for port in node_ports(item)}
    refusals: list[str] = []
    leaving: list[Key] = []
    movers: dict[Key, set[Key]] = {}
    for key, ports in asked.items():
        for protocol, number in sorted(ports):
            holder = held.get((protocol, number))
            if holder is None or key_of(holder) == key:
                continue
            other = key_of(holder)
            if other in asked and (protocol, number) not in asked[other]:
                movers.setdefault(key, set()).add(other)
            elif other not in asked and part and (holder["metadata"].get("labels") or {}).get(PART_LABEL) == part:
                leaving.append(other)
            else:
                refusals.append(f"{key}: found node port {number} taken by {other}; expected a free one")
    for key in movers:
        if _returns(key, movers):
            others = ", ".join(str(other) for other in sorted(movers[key], key=str))
            refusals.append(
                f"{key}: found its node port to be exchanged with {others}; expected a free port in between"
            )
    return Clashes(tuple(refusals), tuple(dict.fromkeys(leaving)))


def _returns(start: Key, movers: Mapping[Key, set[Key]]) -> bool:
    """Whether a Service waits, by way of others, for itself."""
    seen: set[Key] = set()
    todo = list(movers[start])
    while todo:
        key = todo.pop()
        if key == start:
            return True
        if key not in seen:
            seen.add(key)
            todo += movers.get(key, ())
    return False
