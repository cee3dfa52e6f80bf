"""What istioctl says about a mesh: findings of its analysis, and proxies that lack a part of their configuration."""

from __future__ import annotations

import json
from typing import Any

# EnvoyFilters are how requests are counted where Istio's own filter is absent, and how they are limited; istioctl warns
# of every one there is.
ACCEPTED = {"IST0133": ("/request-metrics-", "/rate-limit-")}
LEVELS = ("Error", "Warning", "Info")
# A port without a protocol's name is Info to istioctl, but it is what changes the traffic of others (IST0118).
NOTED = ("IST0118",)
IN_STEP = ("SYNCED", "NOT_SENT", "UNKNOWN", "IGNORED")


def findings(text: str, level: str) -> list[str]:
    """Findings of ``istioctl analyze --output json`` of this level or a worse one, as lines."""
    wanted = LEVELS[: LEVELS.index(level) + 1]
    found = []
    for item in (item for answer in _documents(text) for item in answer or []):
        ours = any(part in item.get("origin", "") for part in ACCEPTED.get(item["code"], ()))
        if item["level"] in wanted and not ours:
            found.append(f"{item['level']} {item['code']} {item.get('origin', '')}: {item['message']}")
    return found


def notes(text: str) -> list[str]:
    """What is worth a warning: findings of level Warning or worse, and some that istioctl thinks less of."""
    less = [line for line in findings(text, "Info") if line.split(" ", 2)[1] in NOTED]
    found = findings(text, "Warning")
    return found + [line for line in less if line not in found]


def behind(text: str) -> list[str]:
    """Proxies of ``istioctl proxy-status --output json`` that lack something that istiod has sent or has to send."""
    found = []
    for proxy in _resources(text):
        states = {item["typeUrl"].rpartition(".")[2]: item.get("configStatus", "") for item in _configs(proxy)}
        late = sorted(f"{kind} {state}" for kind, state in states.items() if state not in IN_STEP)
        if late:
            found.append(f"{proxy['node']['id']}: {', '.join(late)}")
    return sorted(found)


def _resources(text: str) -> list[dict[str, Any]]:
    """Every istiod's answer is a document of its own."""
    return [item for answer in _documents(text) for item in answer.get("resources") or []]


def _documents(text: str) -> list[Any]:
    """JSON documents that stand one after the other. Raises ValueError for anything else."""
    found, rest, decoder = [], text.strip(), json.JSONDecoder()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found


def _configs(proxy: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in proxy.get("genericXdsConfigs") or [] if item.get("typeUrl")]
