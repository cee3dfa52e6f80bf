"""The order in which releases change so that no request is lost: pods, subsets, routes, and only then what was.

Each step waits until the one before it has arrived: in Deployments, or in every proxy that it concerns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from ansible_collections.twinstack.core.plugins.module_utils.istio import proxies, release
from ansible_collections.twinstack.core.plugins.module_utils.istio.proxies import Proxy
from ansible_collections.twinstack.core.plugins.module_utils.istio.release import Place, Plan
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import workloads
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object, key_of

POLL_SECONDS = 0.5
# What may pass, such as a pull that failed, ends the wait when it is seen for as long: kubelet's second try is in it.
PATIENCE_SECONDS = 15.0
NAMED = 3  # proxies that are named; the others are counted

Judge = Callable[[Place, str], Collection[str]]  # what is wrong with a place, by what a proxy answered


class Mesh(Protocol):
    """What the rollout does to a cluster."""

    def apply(self, objects: Sequence[Object], prune: bool) -> kube_apply.Outcome:
        """Apply objects of the apply set; prune: and remove what else it has."""

    def remove(self, key: Key) -> None:
        """Remove an object."""

    def ready(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Wait for Deployments; why those are not ready that are not."""

    def taken(self, command: list[str], places: Collection[Place], judge: Judge) -> dict[Place, str]:
        """Wait until every proxy has what the places need; what is wrong with which."""


@dataclass
class Result:
    """What came of it. held: why services have kept their routes, or what they had; failures end everything."""

    changed: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    held: dict[Place, str] = field(default_factory=dict)
    applied: float = 0.0

    def add(self, outcome: kube_apply.Outcome) -> bool:
        """Record one apply; whether it succeeded."""
        self.changed = list(dict.fromkeys([*self.changed, *outcome.changed]))
        self.pruned = list(dict.fromkeys([*self.pruned, *outcome.pruned]))
        self.diff += outcome.diff
        self.failures += outcome.failures
        self.applied = time.time()
        return not self.failures


def roll_out(
    mesh: Mesh,
    plan: Plan,
    live: Sequence[Object],
    wanted: Sequence[Object],
    deployments: Mapping[Place, Mapping[str, str]],
    namespaces: Collection[str] | None = None,
) -> Result:
    """Bring releases to what is wanted.

    deployments: names by subset, as far as they are known. namespaces: that stay; None = all.
    """
    result = Result()
    there = {key_of(item): item for item in live}
    coming = plan.moving & plan.wanted.keys()
    needed = {
        Key("apps/v1", "Deployment", place[0], deployments[place][subset]): place
        for place in sorted(coming)
        for subset in sorted(plan.wanted[place].used())
        if subset in deployments.get(place, {})
    }
    for key, why in mesh.ready(list(needed)).items():
        place = needed[key]
        result.held[place] = "; ".join(filter(None, [result.held.get(place), f"{key}: {why}"]))
    rules = [item for item in wanted if item["kind"] == release.SUBSETS and _place(item) not in result.held]
    if not result.add(mesh.apply([release.union(item, there.get(key_of(item))) for item in rules], False)):
        return result
    clusters = {place: plan.wanted[place].clusters() for place in coming - result.held.keys()}

    def unreachable(place: Place, text: str) -> list[str]:
        return proxies.lacking(proxies.hosts_of_clusters(text), clusters[place])

    result.held |= mesh.taken(proxies.CLUSTERS, clusters, unreachable)
    routes = list(_routes(wanted, there, result.held))
    if not result.add(mesh.apply(routes, False)):
        return result
    wanted_keys = {key_of(item) for item in wanted}
    for key in [key for key in there if key.kind == release.ROUTES and key not in wanted_keys]:
        if key.namespace not in {space for space, _ in result.held}:
            mesh.remove(key)
            result.pruned.append(str(key))
    stay = {place for place in plan.moving if namespaces is None or place[0] in namespaces}
    gone = {place: plan.gone(place) for place in stay - result.held.keys()}

    def led(place: Place, text: str) -> list[str]:
        return proxies.still(proxies.routed(text), plan.live[place].host, gone[place])

    result.held |= mesh.taken(proxies.ROUTES, {place for place, subsets in gone.items() if subsets}, led)
    if result.held:
        result.add(mesh.apply([item for item in rules if _place(item) not in result.held], False))
    else:
        result.add(mesh.apply(wanted, True))
    return result


def _place(item: Object) -> Place:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _routes(wanted: Iterable[Object], there: Mapping[Key, Object], held: Collection[Place]) -> Iterable[Object]:
    """VirtualServices to apply now: services that are held keep the rules that they have."""
    for item in wanted:
        if item["kind"] == release.ROUTES:
            space = item["metadata"].get("namespace", "")
            names = {name for place, name in held if place == space}
            found = release.without(item, there.get(key_of(item)), names)
            if found is not None:
                yield found


# --- waiting ----------------------------------------------------------------------------------------------------------


class Reader(Protocol):
    """What waiting needs of `client.Client`."""

    def get(self, key: Key) -> Object | None:
        """The object, None when there is none."""

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind."""


def wait_ready(
    cluster: Reader, keys: Sequence[Key], deadline: float, sleep: Callable[[float], None] = time.sleep
) -> dict[Key, str]:
    """Wait for Deployments; why those are not ready that are not. Ends early where waiting is in vain.

    deadline: on time.monotonic()'s clock.
    """
    waiting = list(keys)
    found: dict[Key, str] = {}
    seen: dict[Key, float] = {}
    while waiting:
        now = time.monotonic()
        try:
            late = _late(cluster, waiting)
        except API_ERRORS as error:  # it may answer the next time
            late = {key: (f"no answer of the API server: {error}", []) for key in waiting}
        for key, (why, troubles) in late.items():
            since = seen.setdefault(key, now) if troubles else seen.pop(key, now)
            if now > deadline or any(one.lasting for one in troubles) or (troubles and now - since > PATIENCE_SECONDS):
                found[key] = "; ".join(dict.fromkeys([why, *(one.text for one in troubles)]))
        waiting = [key for key in late if key not in found]
        if waiting:
            sleep(POLL_SECONDS)
    return found


def _late(cluster: Reader, keys: Sequence[Key]) -> dict[Key, tuple[str, list[workloads.Trouble]]]:
    """Deployments that are not ready, each with the reason and with what is in its way."""
    items = {key: cluster.get(key) for key in keys}
    late = {key: workloads.late(item) for key, item in items.items() if workloads.late(item)}
    sets = cluster.list("apps/v1", "ReplicaSet") if late else []
    pods = cluster.list("v1", "Pod") if late else []
    return {key: (why, workloads.troubles(items[key], sets, pods)) for key, why in late.items()}


def wait_taken(
    listed: Callable[[], list[Proxy]],
    ask: Callable[[Proxy, list[str]], str],
    command: list[str],
    places: Collection[Place],
    judge: Judge,
    deadline: float,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[Place, str]:
    """Wait until nothing is wrong with any proxy of the places' namespaces; by place, what is wrong with which.

    listed: all proxies of these namespaces, as they are now. ask: what a proxy answers; raises OSError.
    """
    done: set[tuple[Proxy, Place]] = set()
    while places:

        def missing(proxy: Proxy) -> dict[Place, list[str]]:
            mine = [place for place in places if place[0] == proxy.namespace and (proxy, place) not in done]
            if not mine:
                return {}
            try:
                text = ask(proxy, command)
                return {place: list(judge(place, text)) for place in mine}
            except (ValueError, *API_ERRORS) as error:
                return {place: [] if proxy.leaving else [f"does not answer: {error}"] for place in mine}

        now = listed()
        with ThreadPoolExecutor(max_workers=kube_apply.AT_ONCE) as pool:
            answers = list(pool.map(missing, now))
        late: dict[Place, list[str]] = {}
        for proxy, answer in zip(now, answers, strict=True):
            for place, lines in answer.items():
                if lines:
                    late.setdefault(place, []).append(f"proxy {proxy.namespace}/{proxy.pod} {', '.join(lines)}")
                else:
                    done.add((proxy, place))
        if not late:
            return {}
        if time.monotonic() > deadline:
            return {place: _named(lines) for place, lines in late.items()}
        sleep(POLL_SECONDS)
    return {}


def _named(lines: Sequence[str]) -> str:
    more = [f"{len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return "; ".join([*lines[:NAMED], *more])
