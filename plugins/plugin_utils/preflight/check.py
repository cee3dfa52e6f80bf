"""All findings about all hosts: pure functions from probe results and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import (
    existing,
    network,
    peers,
    resources,
    system,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings

HOST_CHECKS = (
    existing.check_own_record,
    existing.check_cluster,
    system.check_system,
    system.check_cgroups,
    system.check_kernel,
    resources.check_size,
    resources.check_swap,
    resources.check_ports,
    existing.check_stale,
    existing.check_firewall,
    network.check_addresses,
    network.check_pod_mtu,
    network.check_router_advertisements,
    network.check_disabled_ipv6,
    network.check_routes,
)


def check_hosts(hosts: Sequence[Host], settings: Settings) -> list[Finding]:
    """All findings about all hosts, in the order of hosts, then of subjects."""
    findings: list[Finding] = []
    for host in hosts:
        for check in HOST_CHECKS:
            findings += check(host, settings)
    findings += peers.check_equality(hosts)
    findings += peers.check_clocks(hosts, settings.max_clock_offset_seconds)
    for host in hosts:
        findings += peers.check_peers(host, settings)
    unsynchronised = [host.name for host in hosts if host.probe["clock"]["synchronised"] is False]
    if unsynchronised:
        found = "no time service has set it"
        expected = "a clock kept by NTP"
        findings.append(
            Finding(", ".join(unsynchronised), "clock", found, expected, "node_prep_time_servers", "warning")
        )
    return findings


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that differ only in the host as one, in the order of their first."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, where=""), []).append(finding.where)
    return [replace(finding, where=", ".join(names)) for finding, names in places.items()]
