"""Links, addresses, routes and policy rules of kube-proxy and Calico."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt

ROUTE_PROTOCOL = "80"  # Calico's deviceRouteProtocol of VXLAN routes
BIRD_PROTOCOL = "bird"
RULE_PRIORITY = 99  # Calico's wireguardRoutingRulePriority


def find_links(_record: Record) -> list[str]:
    """Links of kube-proxy and Calico."""
    links = network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))
    return sorted(name for name in links if host_probe.is_stale_link(name))


def remove_links(_record: Record, names: list[str]) -> None:
    """Delete links; those whose namespace is just going may be gone already."""
    attempt(["ip", "-force", "-batch", "-"], "".join(f"link delete {name}\n" for name in names))


def find_tunnel_addresses(_record: Record) -> list[str]:
    """tunl0 when it holds an address: the kernel's own device stays, its address goes."""
    links = network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))
    return [name for name in ("tunl0",) if links.get(name, {}).get("addresses")]


def flush_tunnel_addresses(_record: Record, names: list[str]) -> None:
    """Take the addresses off and the device down."""
    for name in names:
        attempt(["ip", "address", "flush", "dev", name])
        attempt(["ip", "link", "set", name, "down"])


def own_routes(shown: Iterable[dict[str, Any]], bird_is_foreign: bool) -> list[str]:
    """Calico's routes out of ``ip -j route show table all`` as arguments of ``ip route delete``."""
    protocols = {ROUTE_PROTOCOL} if bird_is_foreign else {ROUTE_PROTOCOL, BIRD_PROTOCOL}
    found = []
    for route in shown:
        if str(route.get("protocol")) not in protocols:
            continue
        kind = route.get("type", "unicast")
        device = f" dev {route['dev']}" if "dev" in route and kind == "unicast" else ""
        found.append(f"{kind} {route['dst']}{device} table {route.get('table', 'main')} proto {route['protocol']}")
    return found


def own_ip_rules(shown: Iterable[dict[str, Any]]) -> list[str]:
    """Calico's policy rules out of ``ip -j rule show`` as arguments of ``ip rule delete``."""
    return [
        f"priority {rule['priority']} fwmark {rule['fwmark']}/{rule.get('fwmask', '0xffffffff')}"
        for rule in shown
        if rule.get("priority") == RULE_PRIORITY and "fwmark" in rule
    ]


def find_routes(_record: Record) -> list[str]:
    """Calico's routes and policy rules of both families; a BIRD that still runs is the host's own, with its routes."""
    bird = any(network.program(item.name) == "bird" for item in Path("/proc").iterdir() if item.name.isdigit())
    found = []
    for flag in ("-4", "-6"):
        shown = network.json_output(["ip", "-j", flag, "route", "show", "table", "all"])
        found += [f"{flag} route {route}" for route in own_routes(shown, bird)]
        found += [
            f"{flag} rule {rule}" for rule in own_ip_rules(network.json_output(["ip", "-j", flag, "rule", "show"]))
        ]
    return found


def remove_routes(_record: Record, names: list[str]) -> None:
    """Delete routes and rules family by family."""
    for flag in ("-4", "-6"):
        rows = [name.split(" ", 2)[1:] for name in names if name.startswith(flag)]
        if rows:
            attempt(["ip", flag, "-force", "-batch", "-"], "".join(f"{kind} delete {rest}\n" for kind, rest in rows))
