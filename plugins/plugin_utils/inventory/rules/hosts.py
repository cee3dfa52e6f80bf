"""Hosts: their groups, names, addresses, and how they are reached. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS, TITLES
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import (
    Address,
    AddressError,
    Network,
    documentation,
    parse_address,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import (
    GROUPS,
    HOST_VARIABLES,
    LOCALHOST,
    Inventory,
    Unresolved,
    unresolved,
)

# RFC 1123 label, which Kubernetes requires of node names' parts, and a name made of such labels.
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def check_groups(inventory: Inventory) -> Iterator[Finding]:
    """Both groups have hosts, each host is in one of them, and the control plane is one host."""
    where = inventory.hosts_file
    control_plane, worker = GROUPS
    for name in (control_plane, worker):
        if name not in inventory.groups:
            yield Finding(where, name, "no such group", "a group with at least one host")
        elif not inventory.groups[name]:
            yield Finding(where, name, "no host in the group", "at least one")
    count = len(inventory.groups.get(control_plane, ()))
    if count > 1 and count % 2 == 0:
        expected = "1; an even number of etcd members survives no more losses than one member less"
        yield Finding(where, control_plane, f"{count} hosts", expected)
    elif count > 1:
        yield Finding(where, control_plane, f"{count} hosts", "1: one control plane for now; three follow")
    for host in inventory.groups["all"]:
        owners = [name for name in (control_plane, worker) if host in inventory.groups.get(name, ())]
        if len(owners) == 2:
            yield Finding(host, "groups", f"{control_plane} and {worker}", "one of them")
        elif not owners and host != LOCALHOST:
            yield Finding(host, "groups", f"neither {control_plane} nor {worker}", "one of them")


def check_names(inventory: Inventory) -> Iterator[Finding]:
    """Names become names of nodes: DNS labels, different even where case does not count."""
    first: dict[str, str] = {}
    for host in inventory.groups["all"]:
        if not LABEL.fullmatch(host):
            expected = "a DNS label: at most 63 lower-case letters, digits and hyphens"
            yield Finding(host, "inventory_hostname", host, expected)
        if host.lower() in first:
            found = f"{host}, which is {first[host.lower()]} where case does not count"
            yield Finding(host, "inventory_hostname", found, "a name of its own")
        first.setdefault(host.lower(), host)


def addresses(inventory: Inventory) -> tuple[dict[tuple[str, str], Address], list[Finding]]:
    """Usable addresses by (host, family), and what is wrong with the others."""
    usable: dict[tuple[str, str], Address] = {}
    findings: list[Finding] = []
    for host, variables in inventory.hosts.items():
        if host == LOCALHOST:
            continue
        for family in FAMILY_KEYS:
            value = variables.get(family)
            if isinstance(value, Unresolved):
                findings.append(unresolved(host, family, value, host))
            elif value is None:
                expected = f"an {TITLES[family]} address; no family is ever guessed"
                findings.append(Finding(host, family, _nothing(variables, family), expected))
            else:
                try:
                    usable[host, family] = parse_address(value, family)
                except AddressError as error:
                    findings.append(Finding(host, family, error.found, error.expected))
    for (host, family), address in usable.items():
        findings += check_documentation(host, family, address)
    owners: dict[Address, str] = {}
    for (host, family), address in usable.items():
        owner = owners.setdefault(address, host)
        if owner != host:
            findings.append(Finding(host, family, f"{address}, which is {owner}'s", "an address of its own"))
    return usable, findings


def check_documentation(where: str, name: str, value: Address | Network) -> Iterator[Finding]:
    """A warning of what is meant for texts: other networks drop it, within one's own it works."""
    if within := documentation(value):
        found, expected = f"{value}, which is in {within}, meant for documentation", "a network of your own"
        yield Finding(where, name, found, expected, level="warning")


def _nothing(variables: Mapping[str, Any], family: str) -> str:
    """That an address is missing, and the variable that probably was meant to hold it."""
    others = [name for name in variables if name not in HOST_VARIABLES and family[-1] in name]
    return f"nothing, but {', '.join(sorted(others))}" if others else "nothing"


def check_connections(inventory: Inventory) -> Iterator[Finding]:
    """No two hosts are reached in the same way."""
    first: dict[tuple[str, str], str] = {}
    for host, variables in inventory.hosts.items():
        bad = [name for name in ("ansible_host", "ansible_port") if isinstance(variables.get(name), Unresolved)]
        for name in bad:
            yield unresolved(host, name, variables[name], host)
        if bad or host == LOCALHOST:
            continue
        address, port = str(variables.get("ansible_host") or host), str(variables.get("ansible_port") or 22)
        owner = first.setdefault((address, port), host)
        if owner != host:
            found = f"{address} port {port}, which is {owner}'s"
            yield Finding(host, "ansible_host", found, "an address or port of its own")
