"""From probes and verdicts to the report, with the next command to try for everything that failed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import BY_ID
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import OUTSIDE, Cluster, Known, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan, Skip

SCHEMA = 1
NOT_TRIED = "not tried: "


def next_command(probe: Probe, verdict: Verdict) -> str:
    """What a person should run next; ``on NAME:`` means in a shell on that host."""
    if isinstance(probe.action, Known) and verdict.detail.startswith(NOT_TRIED):
        return commands.untried(verdict.detail[len(NOT_TRIED) :])
    if probe.source == OUTSIDE:
        return commands.from_outside(probe)
    return BY_ID[probe.group].next_command(probe, verdict)


def conclude(
    plan: Plan, verdicts: Mapping[str, Verdict], cluster: Cluster, started: str, seconds: float
) -> dict[str, Any]:
    """The report (schema 1).

    verdicts: by probe id, one for every probe of the plan; started: ISO 8601 in UTC; seconds: the whole run.
    """
    probes: list[dict[str, Any]] = []
    skipped = list(plan.skipped)
    order = list(BY_ID)
    for probe in sorted(plan.probes, key=lambda item: order.index(item.group)):
        verdict = verdicts[probe.id]
        if verdict.skip:
            what = probe.target if BY_ID[probe.group].part is Part.TENANTS else probe.id.rpartition("/")[2]
            part = Skip(probe.group, f"{what}: {verdict.detail}")
            if part not in skipped:
                skipped.append(part)
            continue
        probes.append(
            {
                "id": probe.id,
                "group": probe.group,
                "title": probe.title,
                "family": probe.family,
                "from": probe.source,
                "to": probe.target,
                "ok": verdict.ok,
                "milliseconds": verdict.milliseconds,
                "detail": verdict.detail,
                "next": "" if verdict.ok else next_command(probe, verdict),
            }
        )
    return {
        "schema": SCHEMA,
        "cluster": cluster.name,
        "started": started,
        "seconds": round(seconds, 1),
        "ok": bool(probes) and all(entry["ok"] for entry in probes),
        "versions": dict(cluster.versions),
        "images": dict(cluster.images),
        "settings": settings(cluster),
        "nodes": [
            {
                "name": node.name,
                "roles": ["control_plane" if node.control_plane else "worker"],
                "ipv4": node.addresses.get("IPv4", ""),
                "ipv6": node.addresses.get("IPv6", ""),
            }
            for node in sorted(cluster.nodes, key=lambda node: (not node.control_plane, node.name))
        ],
        "probes": probes,
        "skipped": [{"group": item.group, "reason": item.reason} for item in skipped],
    }


def settings(cluster: Cluster) -> dict[str, Any]:
    """What the cluster was found to be set to."""
    pools = [pool for pool in cluster.pools or () if not pool.disabled]
    ranges = [pool.cidr for pool in pools] or sorted({cidr for node in cluster.nodes for cidr in node.pod_cidrs})
    return {
        "primary_family": cluster.primary_family.lower(),
        "proxy_mode": cluster.proxy_mode,
        "encapsulation": ", ".join(sorted({pool.encapsulation for pool in pools})),
        "pod_cidrs": ranges,
        "service_cidrs": list(cluster.service_cidrs),
    }


def counts(probes: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Passed and failed probes per family."""
    found = {family: {"passed": 0, "failed": 0} for family in FAMILIES}
    for entry in probes:
        found[entry["family"]]["passed" if entry["ok"] else "failed"] += 1
    return found


def first_failures(probes: Sequence[Mapping[str, Any]], limit: int = 5) -> list[str]:
    """The first failures as lines of text."""
    failed = [entry for entry in probes if not entry["ok"]]
    lines = [f"{entry['id']}: {entry['detail']}. Try: {entry['next']}" for entry in failed[:limit]]
    if len(failed) > limit:
        lines.append(f"and {len(failed) - limit} more")
    return lines
