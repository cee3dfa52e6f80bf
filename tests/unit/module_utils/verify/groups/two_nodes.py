"""The sample cluster with two nodes, cp1 and worker1, and what the shell's answers say about a group's probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.twinstack.core.plugins.module_utils.families import family_of, is_address
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Group
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Fetch,
    Known,
    Outside,
    Ping,
    Probe,
    Query,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge, parse_output
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import END_MARK

from tests.unit.module_utils.verify.samples import LAB, NAMESPACE, RUN, raw_cluster, raw_mesh, raw_observed

GONE = re.compile(r"10\.244\.3\.|fd66:244:0:3:")  # worker2's pods
NO_ANSWER = ("curl:0\t000\t28\t2.0\t\t\t0\t0\tConnection timed out",)
BROKEN_OFF = ("curl:0\t000\t56\t0.1\t\t\t0\t0\tConnection reset by peer",)


def small(raw: dict[str, Any]) -> dict[str, Any]:
    """The cluster without its second worker and that one's pods."""
    raw["nodes"] = [item for item in raw["nodes"] if item["metadata"]["name"] != "worker2"]
    raw["pods"] = [item for item in raw["pods"] if item["spec"]["nodeName"] != "worker2"]
    for item in raw["slices"]:
        item["endpoints"] = [one for one in item["endpoints"] if not GONE.match(one["addresses"][0])]
    return raw


def plain() -> dict[str, Any]:
    """Two nodes without a mesh."""
    return small(raw_cluster())


def meshed() -> dict[str, Any]:
    """Two nodes, a pod in the mesh on the worker."""
    return small(raw_mesh())


def observed() -> dict[str, Any]:
    """Two nodes with a mesh, two tenants, and Prometheus, Jaeger and Kiali."""
    return small(raw_observed())


def without_address(raw: dict[str, Any], service: str, family: str) -> dict[str, Any]:
    """The cluster with every Service of this name bare of its address of the family."""
    for item in raw["services"]:
        if item["metadata"]["name"] == service:
            kept = [one for one in item["spec"]["clusterIPs"] if is_address(one) and family_of(one) != family]
            item["spec"]["clusterIPs"] = kept
    return raw


def skips(group: Group, raw: dict[str, Any], proxy_mode: str = "ipvs", outside: Outside | None = LAB) -> list[str]:
    """Why a group, or a part of it, is not probed."""
    found = list(group.plan(Scope(observe(raw), NAMESPACE, 18080, proxy_mode, outside, RUN)))
    assert {item.group for item in found if isinstance(item, Skip)} <= {group.id}
    return [item.reason for item in found if isinstance(item, Skip)]


def urls(probes: Mapping[str, Probe]) -> dict[str, str]:
    """URL by id, of those that send a request."""
    return {name: probe.action.url for name, probe in probes.items() if isinstance(probe.action, Fetch)}


def failed(probes: Mapping[str, Probe]) -> dict[str, str]:
    """Reason by id, of those that fail before anything ran."""
    return {
        name: probe.action.detail
        for name, probe in probes.items()
        if isinstance(probe.action, Known) and not probe.action.ok
    }


def answer(body: str = "", code: int = 200) -> list[str]:
    """The shell's lines about one request that was answered."""
    return [f"curl:0\t{code}\t0\t0.001\t192.0.2.1\t192.0.2.2\t0\t1\t", *(f"b0:{line}" for line in body.splitlines())]


def first(accepted: frozenset[str]) -> str:
    """One of the accepted answers; nothing where any is."""
    return min(accepted, default="")


def red(probes: Mapping[str, Probe], told: Callable[[Probe], list[str]], dead: str = "") -> set[str]:
    """Ids of the probes that fail. told: the shell's lines about a probe; dead: an address where nobody answers."""
    found = set()
    for name, probe in probes.items():
        lines = _no_answer(probe) if dead and connected_to(probe) == dead else told(probe)
        if not judge(0, probe.action, parse_output("\n".join([*lines, END_MARK, ""]))).ok:
            found.add(name)
    return found


def connected_to(probe: Probe) -> str:
    """The host that a probe's packets really go to: an address, or a name that is looked up first."""
    action = probe.action
    if isinstance(action, Fetch):
        return urlsplit(f"//{action.connect_to}" if action.connect_to else action.url).hostname or ""
    if isinstance(action, Query):
        return action.server
    return action.address if isinstance(action, Ping) else ""


def _no_answer(probe: Probe) -> list[str]:
    return {Query: ["q0:;; no answer in time"], Ping: ["p0:mtu 1500"]}.get(type(probe.action), list(NO_ANSWER))
