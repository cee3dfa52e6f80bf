"""Applying many objects: in waves, in parallel, with what changed, what failed, what is to be pruned and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube import liveness, node_ports, ownership, refusals
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import (
    API_ERRORS,
    CONNECTION_ERRORS,
    RefusedError,
    UnknownKindError,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object

AT_ONCE = 8  # requests in flight; the API server's own default for a client is higher
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
RESTART_SECONDS = 20.0
ALLOCATED = "port is already allocated"  # a node port that another Service is about to leave
Answer = TypeVar("Answer")
PASSING = (409, 429, 500, 503, 504)  # answers that another try may turn into a success


@dataclass
class Outcome:
    """What came of it. changed and pruned: names of objects; failures: lines of text.

    late: what was not ready in time, so that nothing was applied of which pods come. going: pruned objects that go only
    after what is in them. refused: whether that is why nothing was applied; findings: those of the failures that are
    more than text. namespaces: what those that are pruned hold, by name. spared: objects with the set's label that
    others made.
    """

    changed: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    going: list[Key] = field(default_factory=list)
    refused: bool = False
    findings: list[Finding] = field(default_factory=list)
    namespaces: dict[str, Any] = field(default_factory=dict)
    spared: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _One:
    key: Key
    before: Object | None
    after: Object | None
    failure: str = ""


def apply_all(
    cluster: Client,
    objects: Sequence[Object],
    apply_set: str,
    dry_run: bool,
    force: bool,
    deadline: float,
    before_workloads: Sequence[tuple[Key, str]] = (),
    allowed: refusals.Allowed | None = None,
    prune: bool = True,
    lost: Collection[str] = (),
) -> Outcome:
    """Apply the objects, then remove what the apply set does not hold any more. Stops after the first wave that failed.

    deadline: on time.monotonic()'s clock, for objects whose kind or namespace is not served yet. before_workloads: what
    is waited for, as by ``wait_all``, when all is there but what pods come of. allowed: what may be taken over and
    deleted. prune: False keeps what the set does not hold any more for a later call; what that would refuse is refused
    now, before anything is applied. lost: as for ``wait_all``.
    """
    wanted = [kube_objects.hashed(item) for item in kube_objects.labelled(objects, apply_set)]
    kinds, spaces = kube_objects.announced(wanted)
    outcome = Outcome()
    gate = liveness.Gate(cluster.server)
    kept = None
    patience = time.monotonic() if dry_run else deadline
    try:
        ports = _patiently(lambda: _port_clashes(cluster, wanted, apply_set), patience, gate)
        known = _patiently(lambda: _look(cluster, wanted), patience, gate)
        _judge(cluster, wanted, known, apply_set, allowed or refusals.Allowed(), patience, gate, outcome)
    except API_ERRORS as error:
        outcome.failures.append(f"what is in the cluster could not be read: {error}")
        return outcome
    outcome.failures += ports.refusals
    if outcome.failures:
        outcome.refused = True
        return outcome

    def one(item: Object) -> _One:
        late = item["kind"] == "Service" and node_ports.service_key(item) in ports.waiting
        return _apply_one(cluster, item, dry_run, force, deadline, kinds, spaces, late, known, gate)

    if apply_set:
        try:
            kept = _remember(cluster, wanted, apply_set, dry_run)
        except API_ERRORS as error:
            outcome.failures.append(f"apply set {apply_set}: what it holds could not be written down: {error}")
            return outcome
    for wave in kube_objects.waves(wanted):
        if not dry_run and wave[0]["kind"] in kube_objects.WORKLOADS:
            outcome.late += wait_all(cluster, before_workloads, deadline, lost=lost)
            known = {} if before_workloads else known  # what was read before the wait may have changed meanwhile
            if outcome.late:
                return outcome
        if ports.waiting and any(item["kind"] == "Service" for item in wave):
            _make_room(cluster, wave, ports, one, dry_run, outcome)
            if outcome.failures:
                return outcome
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            done = list(pool.map(one, [item for item in wave if not ports.moved(item)]))
        for result in done:
            _record(result, outcome)
        if outcome.failures:
            return outcome
        if not dry_run and wave[0]["kind"] == "CustomResourceDefinition":
            outcome.failures += wait_all(cluster, [(kube_objects.key_of(item), "") for item in wave], deadline)
            if outcome.failures:
                return outcome
    if apply_set and prune:
        _prune(cluster, wanted, apply_set, kept, dry_run, outcome)
    return outcome


def _patiently(request: Callable[[], Answer], deadline: float, gate: liveness.Gate) -> Answer:
    """The answer to a request, tried again while another try may turn it into a success."""
    begun = time.monotonic()
    while True:
        try:
            return request()
        except RefusedError as error:
            if error.status not in PASSING or time.monotonic() > deadline:
                raise
        except CONNECTION_ERRORS as error:  # an API server that restarts; a host that is dead is named soon
            if gate.closed(error) or time.monotonic() > min(deadline, begun + RESTART_SECONDS):
                raise
        time.sleep(RETRY_SECONDS)


def _look(cluster: Client, wanted: Sequence[Object]) -> dict[Key, Object | None]:
    """The wanted objects as they are, those that are there."""

    def one(key: Key) -> Object | None:
        try:
            return cluster.get(key)
        except UnknownKindError:  # the wanted ones may bring it
            return None

    keys = [kube_objects.key_of(item) for item in wanted]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(zip(keys, pool.map(one, keys), strict=True))


def _judge(
    cluster: Client,
    wanted: Sequence[Object],
    known: Mapping[Key, Object | None],
    apply_set: str,
    allowed: refusals.Allowed,
    patience: float,
    gate: liveness.Gate,
    outcome: Outcome,
) -> None:
    """Record everything that must not be taken over or deleted, and what the namespaces hold that would be."""
    outcome.findings += refusals.conflicts(wanted, known, cluster.manager, allowed.adopt)
    if apply_set:
        spaces = _patiently(lambda: cluster.list("v1", "Namespace"), patience, gate)
        judged = _patiently(lambda: refusals.removals(cluster, spaces, wanted, apply_set, allowed), patience, gate)
        outcome.findings += judged.findings
        outcome.namespaces = judged.as_dict()
    outcome.failures += [finding.line() for finding in outcome.findings]


def _port_clashes(cluster: Client, wanted: Sequence[Object], apply_set: str) -> node_ports.Clashes:
    """Node ports that others have; looked for only where a wanted Service names any."""
    if not any(node_ports.node_ports(item) for item in wanted):
        return node_ports.Clashes()
    return node_ports.clashes(wanted, cluster.list("v1", "Service"), apply_set)


def _make_room(
    cluster: Client,
    wave: Sequence[Object],
    ports: node_ports.Clashes,
    one: Callable[[Object], _One],
    dry_run: bool,
    outcome: Outcome,
) -> None:
    """Free node ports that Services of the wave wait for: those of the apply set's own past go, others move first."""
    for key in ports.leaving:
        try:
            before = cluster.get(key)
            cluster.delete(key, dry_run)
        except API_ERRORS as error:
            outcome.failures.append(f"{key}: it could not be removed, and another one needs its node port: {error}")
            return
        outcome.pruned.append(str(key))
        outcome.diff.append(kube_objects.difference(key, before, None))
    moving = [item for item in wave if ports.moved(item)]
    for item in sorted(moving, key=lambda item: ports.first.index(node_ports.service_key(item))):
        _record(one(item), outcome)


def _record(result: _One, outcome: Outcome) -> None:
    """Record the result of one object."""
    if result.failure:
        outcome.failures.append(f"{result.key}: {result.failure}")
    elif result.after is not None and kube_objects.differs(result.before, result.after):
        outcome.changed.append(str(result.key))
        outcome.diff.append(kube_objects.difference(result.key, result.before, result.after))


def _remember(cluster: Client, wanted: Sequence[Object], apply_set: str, dry_run: bool) -> Object | None:
    """Write down the kinds of what is to come, so that a run that dies forgets nothing; the record as it was before."""
    now = {(item["apiVersion"], item["kind"]) for item in wanted}
    place = kube_objects.key_of(kube_objects.kinds_record(apply_set, now))
    kept = cluster.get(place)
    before = kube_objects.recorded_kinds(kept)
    if not dry_run and not now <= before:
        cluster.apply(kube_objects.kinds_record(apply_set, now | before), place, dry_run=False, force=True)
    return kept


def _apply_one(
    cluster: Client,
    item: Object,
    dry_run: bool,
    force: bool,
    deadline: float,
    kinds: set[tuple[str, str]],
    spaces: set[str],
    late: bool,
    known: dict[Key, Object | None],
    gate: liveness.Gate,
) -> _One:
    """Apply one object; a passing refusal is tried again, in a dry run what is to come counts as there.

    late: it waits for a node port that another Service leaves in the same run. known: objects that were read a moment
    ago; the first try believes them.
    """
    key = kube_objects.key_of(item)
    ours = (key.api_version, key.kind) in kinds
    before: Object | None = None
    while True:
        try:
            before = known.pop(key, None) or cluster.get(key)
            gate.answered()
            if kube_objects.unchanged(before, item):
                return _One(key, before, before)
            return _One(key, before, cluster.apply(item, key, dry_run, force))
        except UnknownKindError:
            if dry_run and ours:
                return _One(key, None, item)
            failure, passing = f"found no kind {key.kind} in {key.api_version}; expected the cluster to serve it", ours
        except RefusedError as error:
            if dry_run and error.status == 404 and key.namespace in spaces:
                return _One(key, None, item)
            waits = late and ALLOCATED in str(error)
            if dry_run and waits:
                return _One(key, before, item)
            failure, passing = f"the API server refused it: {error}", error.status in PASSING or waits
        except CONNECTION_ERRORS as error:
            failure, passing = f"no answer of the API server: {error}", not gate.closed(error)
        if dry_run or not passing or time.monotonic() > deadline:
            return _One(key, None, None, failure)
        time.sleep(RETRY_SECONDS)


def _prune(
    cluster: Client, wanted: Sequence[Object], apply_set: str, kept: Object | None, dry_run: bool, outcome: Outcome
) -> None:
    """Remove what has the apply set's label and is not wanted, of every kind that the set holds or once held."""
    now = {(item["apiVersion"], item["kind"]) for item in wanted}
    record = kube_objects.kinds_record(apply_set, now)
    place = kube_objects.key_of(record)
    selector = f"{kube_objects.APPLY_SET_LABEL}={apply_set}"
    before = kube_objects.recorded_kinds(kept)
    try:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            found = list(pool.map(lambda kind: cluster.list(kind[0], kind[1], selector), sorted(now | before)))
    except API_ERRORS as error:
        outcome.failures.append(f"apply set {apply_set}: its objects could not be listed: {error}")
        return
    doomed = kube_objects.surplus([item for items in found for item in items], wanted)
    # A copy of ours under another name bears its label too.
    outcome.spared += [
        str(kube_objects.key_of(one)) for one in doomed if not ownership.applied_by(one, cluster.manager)
    ]
    doomed = [item for item in doomed if ownership.applied_by(item, cluster.manager)]
    spaces = {item["metadata"]["name"] for item in doomed if item["kind"] == "Namespace"}
    for item in kube_objects.last_first(doomed):
        key = kube_objects.key_of(item)
        if str(key) in outcome.pruned:  # it made room before
            continue
        try:
            if key.namespace not in spaces:  # else it goes with its namespace, whatever their number
                cluster.delete(key, dry_run)
        except API_ERRORS as error:
            outcome.failures.append(f"{key}: it could not be removed: {error}")
            continue
        outcome.pruned.append(str(key))
        if key.kind in kube_objects.FIRST_KINDS:
            outcome.going.append(key)
        outcome.diff.append(kube_objects.difference(key, item, None))
    if dry_run or outcome.failures or (kept is not None and before == now):
        return
    try:
        if now:
            cluster.apply(record, place, dry_run=False, force=True)
        elif kept is not None:
            cluster.delete(place, dry_run=False)
    except API_ERRORS as error:
        outcome.failures.append(f"{place}: it could not be written: {error}")


def wait_all(
    cluster: Client,
    targets: Sequence[tuple[Key, str]],
    deadline: float,
    sleep: Callable[[float], None] = time.sleep,
    lost: Collection[str] = (),
) -> list[str]:
    """Wait until all targets are ready; what is not when time is up, as lines of text. At least one look at each.

    Ends as soon as a target cannot become ready any more because a node has died, with a finding as the first line.

    targets: (key, condition); an empty name means every object of the kind, of which there must be one. lost: nodes
    whose pods are not waited for.
    """
    watch = liveness.Watch(cluster, lost)

    def reasons(target: tuple[Key, str]) -> list[str]:
        try:
            return _why_not(cluster, *target, lost)
        except (UnknownKindError, *API_ERRORS) as error:
            return [f"{target[0]}: {error}"]

    waiting = list(targets)
    while waiting:
        # One after the other: none is done before the last, and polling each all the time keeps the API server from
        # what is waited for.
        found = reasons(waiting[0])
        in_vain = watch.in_vain([key for key, _ in waiting]) if found else []
        if not found:
            waiting.pop(0)
        elif in_vain or time.monotonic() > deadline:
            return in_vain + found + [line for target in waiting[1:] for line in reasons(target)]
        else:
            sleep(POLL_SECONDS)
    return []


def _why_not(cluster: Client, key: Key, condition: str, lost: Collection[str]) -> list[str]:
    def unready(item: Object | None) -> str:
        if item is None or condition or not lost:
            return kube_objects.unready(item, condition)
        return liveness.unready_elsewhere(cluster, item, lost)

    if key.name:
        reason = unready(cluster.get(key))
        return [f"{key}: {reason}"] if reason else []
    items = cluster.list(key.api_version, key.kind)
    if not items:
        return [f"{key.kind}: none there"]
    named = [(kube_objects.key_of(item), unready(item)) for item in items]
    return [f"{one}: {reason}" for one, reason in named if reason]
