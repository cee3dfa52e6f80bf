"""Hosts among each other: what must be equal and what must not, clocks, and every way between them. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings, link_of


def check_equality(hosts: Sequence[Host]) -> Iterator[Finding]:
    """What must be equal on all hosts, and what must not."""
    for family in FAMILY_KEYS:
        places = {host.name: link_of(host, family) for host in hosts}
        mtus = {name: int(place[1]["mtu"]) for name, place in places.items() if place}
        if len(set(mtus.values())) > 1:
            usual_mtu = Counter(mtus.values()).most_common(1)[0][0]
            for name, mtu in sorted(mtus.items()):
                if mtu != usual_mtu:
                    yield Finding(name, f"mtu of the {family} link", str(mtu), f"{usual_mtu}, as on the other hosts")
    for field_name, label in (("machine_id", "/etc/machine-id"), ("hostname", "host name")):
        owners: dict[str, list[str]] = defaultdict(list)
        for host in hosts:
            owners[host.probe[field_name]].append(host.name)
        for value, names in sorted(owners.items()):
            if len(names) > 1:
                hint = "rm /etc/machine-id; systemd-machine-id-setup; reboot" if field_name == "machine_id" else ""
                yield Finding(", ".join(sorted(names)), label, f"the same, {value}", "one of its own per host", hint)


def check_clocks(hosts: Sequence[Host], limit: float) -> Iterator[Finding]:
    """Clock offsets measured between the hosts, each pair once; unsynchronised clocks as a warning."""
    for host in hosts:
        offsets = {}
        for peer, families in host.peers.get("peers", {}).items():
            values = [pair["clock_offset_seconds"] for pair in families.values()]
            known = [value for value in values if value is not None]
            if known:
                offsets[peer] = min(known, key=abs)
        for peer, offset in sorted(offsets.items()):
            if abs(offset) > limit and host.name < peer:
                yield Finding(
                    f"{host.name} -> {peer}",
                    "clock",
                    f"{peer} is {abs(offset):.3f} s {'ahead' if offset > 0 else 'behind'}",
                    f"at most {limit:g} s (preflight_max_clock_offset_seconds)",
                    "timedatectl timesync-status; node_prep_time_servers",
                )


def check_pair(host: Host, peer: str, family: str, pair: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """One way from one host to another in one family."""
    where = f"{host.name} -> {peer}"
    flag = "-6" if family == "ipv6" else "-4"
    errors = pair["errors"]
    if not pair["reachable"]:
        found = f"no answer from {pair['address']}" + (f" ({errors['ping']})" if "ping" in errors else "")
        yield Finding(where, f"{family} reachability", found, "an answer by UDP", f"ping {flag} -c 3 {pair['address']}")
        if not pair["tcp"]:
            return
    elif not pair["tcp"]:
        found = f"no connection ({errors.get('tcp', 'no answer')})"
        yield Finding(where, f"{family} TCP", found, "a connection", "look for a firewall between the hosts")
    if pair["reachable"] and pair["link_mtu"] and pair["path_mtu"] < pair["link_mtu"]:
        found = f"{pair['path_mtu']}" if pair["path_mtu"] else "no size got through"
        size = pair["link_mtu"] - (48 if family == "ipv6" else 28)
        yield Finding(
            where,
            f"{family} path MTU",
            found,
            f"{pair['link_mtu']}, the MTU of the host's link",
            f"ping {flag} -M do -s {size} -c 3 {pair['address']}; or lower the link's MTU on all hosts",
        )
    if settings.encapsulation != "None" and pair["reachable"] and not pair["vxlan"] and not pair["vxlan_skipped"]:
        hint = "allow UDP 4789 between the hosts"
        yield Finding(where, f"{family} UDP 4789 (VXLAN)", "no answer", "an answer", hint)


def check_peers(host: Host, settings: Settings) -> Iterator[Finding]:
    """Every way out of one host."""
    for family, kinds in host.peers.get("bind_errors", {}).items():
        reasons = {kind: reason for kind, reason in kinds.items() if kind != "vxlan"}
        if reasons and link_of(host, family):
            found = ", ".join(f"{kind}: {reason}" for kind, reason in sorted(reasons.items()))
            yield Finding(host.name, f"{family} probe port", found, "a free port", "set preflight_probe_port")
    for peer, families in sorted(host.peers.get("peers", {}).items()):
        for family in FAMILY_KEYS:
            if link_of(host, family):  # a missing address has a finding of its own
                yield from check_pair(host, peer, family, families[family], settings)
