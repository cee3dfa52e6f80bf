"""Requests that several groups' probes send, and why one is not tried. Pure."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import bracketed
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    HOST,
    Action,
    Agent,
    Fetch,
    Known,
    Node,
    Probe,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import POD_PORT
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ANY = Fetch("")  # a request for any answer; its URL is filled in
RECORDS = {"IPv4": "A", "IPv6": "AAAA"}
API_PATH = "/livez"


def url(address: str, port: int, path: str, scheme: str = "http") -> str:
    """A URL; the host may be a name or an address of either family."""
    return f"{scheme}://{bracketed(address)}:{port}{path}"


def missing(what: str, family: str) -> Known:
    """The failure of every probe to an address that is not there."""
    return Known(False, f"not tried: {what} has no {family} address")


def to_host(scope: Scope, node: Node, family: str, path: str, like: Fetch = ANY) -> tuple[Action, str]:
    """A request to a host's agent, or why there is none; and the address."""
    agent = scope.agent(HOST, node.name)
    address = node.addresses.get(family, "")
    if not address:
        return missing(f"node {node.name}", family), ""
    if not agent.running:
        return Known(False, f"not tried: {agent.runner} does not run: {agent.reason}"), address
    return replace(like, url=url(address, scope.host_port, path)), address


def to_pod(agent: Agent, family: str, path: str, like: Fetch = ANY) -> tuple[Action, str]:
    """A request to a pod, or why there is none; and the address."""
    address = agent.addresses.get(family, "")
    if not agent.running:
        return Known(False, f"not tried: {agent.runner} does not run: {agent.reason}"), address
    if not address:
        return missing(f"pod {agent.name}", family), ""
    return replace(like, url=url(address, POD_PORT, path)), address


def make_probe(
    group: str,
    family: str,
    source: str,
    target: str,
    title: str,
    action: Action,
    *,
    runner: str = "",
    address: str = "",
    name: str = "",
) -> Probe:
    """A probe from a source to a target. name: what its id ends with, unless that is the target."""
    return Probe(
        id=f"{group}/{family}/{source}/{name or target}",
        group=group,
        title=title,
        family=family,
        source=source,
        target=target,
        runner=runner,
        action=action,
        address=address,
    )
