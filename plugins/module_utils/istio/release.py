"""What a change of releases means for each service: from which routes to which, and what is safe meanwhile. Pure.

Objects are those that plugin_utils/manifests/traffic.py makes: a DestinationRule and a VirtualService for each service,
named after it, and VirtualServices of gateways, whose rules are named after the service that they lead to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.istio import proxies
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object, key_of

API = "networking.istio.io/v1"
SUBSETS, ROUTES = "DestinationRule", "VirtualService"
Place = tuple[str, str]  # a service: its namespace and name


@dataclass
class Routes:
    """All that leads to one service. subsets: labels by name; rules: of each VirtualService, by its key."""

    host: str = ""
    subsets: dict[str, Any] = field(default_factory=dict)
    rules: dict[Key, list[Object]] = field(default_factory=dict)

    def clusters(self) -> set[str]:
        """Clusters that get requests."""
        return {
            proxies.cluster(one["destination"]["host"], one["destination"]["port"]["number"], _subset(one))
            for one in self._destinations()
        }

    def used(self) -> set[str]:
        """Subsets that get requests."""
        return {_subset(one) for one in self._destinations()}

    def _destinations(self) -> list[Object]:
        routes = [one for rules in self.rules.values() for rule in rules for one in rule.get("route") or []]
        return [one for one in routes if one.get("weight", 100) != 0]


def _subset(route: Object) -> str:
    return str(route["destination"].get("subset", ""))


def of_services(objects: Iterable[Object]) -> dict[Place, Routes]:
    """What leads to each service."""
    found: dict[Place, Routes] = {}
    for item in objects:
        space, spec = item["metadata"].get("namespace", ""), item["spec"]
        if item["kind"] == SUBSETS:
            one = found.setdefault((space, item["metadata"]["name"]), Routes())
            one.host = spec["host"]
            one.subsets = {each["name"]: each.get("labels") for each in spec.get("subsets") or []}
        elif item["kind"] == ROUTES:
            for rule in spec.get("http") or []:
                one = found.setdefault((space, rule.get("name", "")), Routes())
                one.rules.setdefault(key_of(item), []).append(rule)
    return found


@dataclass(frozen=True)
class Plan:
    """moving: services whose routes are in use and are to change or to go. Others have nothing that could be lost."""

    live: Mapping[Place, Routes]
    wanted: Mapping[Place, Routes]
    moving: frozenset[Place]

    def gone(self, place: Place) -> set[str]:
        """Subsets of a service that are live, and are wanted no more."""
        wanted = self.wanted[place].subsets if place in self.wanted else {}
        return set(self.live[place].subsets) - set(wanted)


def plan(live: Sequence[Object], wanted: Sequence[Object]) -> Plan:
    """From what is there (of ours) to what is to be."""
    before, after = of_services(live), of_services(wanted)
    moving = frozenset(place for place, routes in before.items() if routes != after.get(place))
    return Plan(before, after, moving)


def union(wanted: Object, live: Object | None) -> Object:
    """A DestinationRule with the subsets of both, so that neither old nor new routes lead nowhere."""
    new = {one["name"]: one for one in wanted["spec"].get("subsets") or []}
    old = {one["name"]: one for one in ((live or {}).get("spec") or {}).get("subsets") or []}
    if set(old) <= set(new):
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "subsets": list({**old, **new}.values())}}


def without(wanted: Object, live: Object | None, held: Collection[str]) -> Object | None:
    """A VirtualService in which services that are held keep the rules that they have; None when no rule is left.

    Longer paths come first, as traffic.py orders them.
    """
    rules = [rule for rule in wanted["spec"]["http"] if rule.get("name") not in held]
    rules += [rule for rule in ((live or {}).get("spec") or {}).get("http") or [] if rule.get("name") in held]
    if not rules:
        return None
    if rules != wanted["spec"]["http"]:
        rules.sort(key=lambda rule: (-len(_path(rule)), _path(rule)))
    return {**wanted, "spec": {**wanted["spec"], "http": rules}}


def _path(rule: Object) -> str:
    """The path that a rule is for, without a slash at its end; empty for all."""
    uris = [one.get("uri") or {} for one in rule.get("match") or []]
    return max((text.rstrip("/") for uri in uris for text in uri.values()), key=len, default="")
