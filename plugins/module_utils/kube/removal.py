"""Waiting until objects are gone, and why a namespace does not go: named as soon as it cannot go by itself any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube import survey
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.contents import first
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, UnknownKindError
from ansible_collections.twinstack.core.plugins.module_utils.kube.holds import (
    CONTENT,
    DISCOVERY,
    FINALIZERS,
    OWN_FINALIZERS,
    PARSING,
    REMAINING,
    Hold,
    foreign,
    holds,
    refused_by_webhook,
    webhook_owners,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object

POLL_SECONDS = 0.5
EMPTIED = "the namespace gone"
WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
ADMISSION = "admissionregistration.k8s.io/v1"
CONTROLLER = "kubectl -n kube-system get pods -l component=kube-controller-manager"


def wait_gone(
    cluster: Client,
    keys: Sequence[Key],
    deadline: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Wait until none of the objects is there any more; what is left, as lines of text, and what holds a namespace.

    Ends before the deadline when a namespace is held by what does not change by itself. deadline: on the clock.
    """
    left = list(keys)
    standing: dict[tuple[Key, str], float] = {}  # since when
    while True:
        try:
            seen = {key: _look(cluster, key) for key in left}
        except API_ERRORS as error:
            if clock() > deadline:
                return [f"{key}: {error}" for key in left]
            sleep(POLL_SECONDS)
            continue
        left = [key for key in left if seen[key] is not None]
        if not left:
            return []
        if clock() > deadline or _hopeless(seen, standing, clock()):
            return [line for key in left for line in _lines(cluster, key, seen[key])]
        sleep(POLL_SECONDS)


def remove_namespace(
    cluster: Client, name: str, seconds: float, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """Remove a namespace with all that is in it and wait for its end; why it is still there, as by ``wait_gone``."""
    key = Key("v1", "Namespace", "", name)
    cluster.delete(key, dry_run=False)
    return wait_gone(cluster, [key], time.monotonic() + seconds, sleep)


def _look(cluster: Client, key: Key) -> Object | None:
    try:
        return cluster.get(key)
    except UnknownKindError:
        return None


def _hopeless(seen: Mapping[Key, Object | None], standing: dict[tuple[Key, str], float], now: float) -> bool:
    """Whether something has held a namespace for longer than it takes to change by itself. standing: is updated."""
    current = {
        (key, hold.condition): hold.seconds
        for key, item in seen.items()
        if item is not None and key.kind == "Namespace"
        for hold in holds(item)
        if hold.seconds is not None
    }
    for ended in set(standing) - set(current):
        del standing[ended]
    return any(now - standing.setdefault(one, now) >= seconds for one, seconds in current.items())


def _lines(cluster: Client, key: Key, item: Object | None) -> list[str]:
    """Why an object is still there."""
    if key.kind != "Namespace" or item is None or not item["metadata"].get("deletionTimestamp"):
        return [f"{key}: found it still there, expected it to be gone"]
    return [finding.line() for finding in findings(cluster, item)]


def findings(cluster: Client, space: Object) -> list[Finding]:
    """What holds a namespace that is being removed: the APIService, the finalizer or the webhook, by its name."""
    name = space["metadata"]["name"]
    reasons = holds(space)
    if not reasons:
        found = "it still there, with no condition that says why"
        return [
            Finding(f"Namespace {name}", "status", found, EMPTIED, f"kubectl describe namespace {name}; {CONTROLLER}")
        ]
    told = []
    for hold in reasons:
        try:
            told += _explain(cluster, name, hold)
        except API_ERRORS:  # then its own words have to do
            told.append(_plain(name, hold))
    return told


def _plain(name: str, hold: Hold, found: str = "", hint: str = "") -> Finding:
    look = hint or f"kubectl describe namespace {name}"
    return Finding(f"Namespace {name}", hold.condition, found or hold.message, EMPTIED, look)


def _explain(cluster: Client, name: str, hold: Hold) -> list[Finding]:
    """One reason, with whoever causes it."""
    if hold.condition in (DISCOVERY, PARSING):
        dead = survey.dead_services(cluster)
        return [_plain(name, hold, str(one), one.hint) for one in dead] or [_plain(name, hold)]
    if hold.condition == CONTENT:
        return [_webhook(cluster, name, hold)]
    if hold.condition == OWN_FINALIZERS:
        found = f"{hold.message} on the namespace itself"
        return [
            _plain(name, hold, found, f"kubectl get namespace {name} -o yaml; start the controller of {hold.message}")
        ]
    served = cluster.discover()
    items = survey.inside(cluster, served.resources, [name])[name]
    if hold.condition == REMAINING:
        names = sorted(f"{item['kind']} {item['metadata']['name']}" for item in items)
        hint = f"kubectl -n {name} get pods -o wide"
        return [_plain(name, hold, f"{hold.message} ({first(names)})" if names else "", hint)]
    assert hold.condition == FINALIZERS
    plurals = {(one.api_version, one.kind): one.plural for one in served.resources}
    told = []
    for finalizer, held in _held(items).items():
        names = [f"{item['kind']} {item['metadata']['name']}" for item in held]
        one = held[0]
        group = one["apiVersion"].rpartition("/")[0]
        plural = plurals[one["apiVersion"], one["kind"]] + (f".{group}" if group else "")
        target = f"{plural} {one['metadata']['name']}"
        clear = """--type merge -p '{"metadata":{"finalizers":null}}'"""
        hint = (
            f"start the controller of {finalizer}; if there is none any more: kubectl -n {name} patch {target} {clear}"
        )
        told.append(_plain(name, hold, f"finalizer {finalizer} on {first(names)}", hint))
    return told or [_plain(name, hold)]


def _held(items: Sequence[Object]) -> dict[str, list[Object]]:
    """Objects by the finalizers that they wait for; Kubernetes' own only where there are no others."""
    found: dict[str, list[Object]] = {}
    for item in items:
        for finalizer in item["metadata"].get("finalizers") or []:
            found.setdefault(str(finalizer), []).append(item)
    return {name: found[name] for name in foreign(found) or found}


def _webhook(cluster: Client, name: str, hold: Hold) -> Finding:
    """What refuses to let something be deleted."""
    webhook = refused_by_webhook(hold.message)
    if not webhook:
        return _plain(name, hold)
    owners = webhook_owners([item for kind in WEBHOOKS for item in cluster.list(ADMISSION, kind)], webhook)
    kind, _, one = owners[0].partition(" ") if owners else ("", "", "")
    hint = f"kubectl describe {kind.lower()} {one}; start its server, or kubectl delete {kind.lower()} {one}"
    found = f"webhook {webhook} of {', '.join(owners) or 'nobody that is known'}: {hold.message}"
    return _plain(name, hold, found, hint if owners else "")
