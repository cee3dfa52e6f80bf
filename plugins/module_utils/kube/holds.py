"""What keeps a namespace from going, by its own conditions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Object

DISCOVERY = "NamespaceDeletionDiscoveryFailure"
PARSING = "NamespaceDeletionGroupVersionParsingFailure"
CONTENT = "NamespaceDeletionContentFailure"
REMAINING = "NamespaceContentRemaining"
FINALIZERS = "NamespaceFinalizersRemaining"
OWN_FINALIZERS = "metadata.finalizers"  # no condition tells of those
# How long something may stand before waiting on is of no use, in seconds. A finalizer's own controller takes its time.
FAILURE_SECONDS, FINALIZER_SECONDS = 10.0, 20.0
WEBHOOK = re.compile(r'webhook "([^"]+)"')
_REMAINING = re.compile(r"(\S+) in \d+ resource instances")
# Kubernetes' own controllers remove theirs, in whatever time that takes.
_KUBERNETES = re.compile(r"[^/]+|([-a-z0-9.]+\.)?(kubernetes|k8s)\.io/.*")


@dataclass(frozen=True)
class Hold:
    """One reason. condition: its name; message: the namespace controller's words; seconds: how long it may stand before
    it can no longer come true by itself, None when only time tells.
    """

    condition: str
    message: str
    seconds: float | None = None


def holds(space: Object) -> list[Hold]:
    """Why a namespace that is being removed is still there, as far as it says so itself; the worst first."""
    if not space["metadata"].get("deletionTimestamp"):
        return []
    said: Mapping[str, str] = {
        one["type"]: str(one.get("message") or one.get("reason") or "")
        for one in space.get("status", {}).get("conditions") or []
        if one["status"] == "True"
    }
    found = [Hold(name, said[name], FAILURE_SECONDS) for name in (DISCOVERY, PARSING) if name in said]
    if CONTENT in said:
        found.append(Hold(CONTENT, said[CONTENT], FAILURE_SECONDS if refused_by_webhook(said[CONTENT]) else None))
    if FINALIZERS in said:
        found.append(Hold(FINALIZERS, said[FINALIZERS], _patience(_REMAINING.findall(said[FINALIZERS]))))
    if REMAINING in said and FINALIZERS not in said:
        found.append(Hold(REMAINING, said[REMAINING]))
    own = [str(name) for name in space["metadata"].get("finalizers") or []]
    if own and not found:
        found.append(Hold(OWN_FINALIZERS, ", ".join(own), _patience(own)))
    return found


def refused_by_webhook(message: str) -> str:
    """The webhook that a message names; empty when none."""
    named = WEBHOOK.search(message)
    return named.group(1) if named else ""


def foreign(finalizers: Iterable[str]) -> list[str]:
    """Those that no controller of Kubernetes' own removes."""
    return [name for name in finalizers if not _KUBERNETES.fullmatch(name)]


def _patience(finalizers: Iterable[str]) -> float | None:
    return FINALIZER_SECONDS if foreign(finalizers) else None


def webhook_owners(items: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    """Webhook configurations that hold a webhook of this name, as ``Kind name``."""
    return [
        f"{item['kind']} {item['metadata']['name']}"
        for item in items
        if any(one.get("name") == name for one in item.get("webhooks") or [])
    ]
