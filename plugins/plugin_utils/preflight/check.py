"""All findings about all hosts: pure functions from probe results and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import (
    existing,
    fixed_settings,
    membership,
    network,
    peers,
    resources,
    running_versions,
    system,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.standing import standing

HOST_CHECKS = (
    existing.check_own_record,
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


def check_hosts(hosts: Sequence[Host], settings: Settings, beside: Sequence[Host] = ()) -> list[Finding]:
    """All findings about all hosts, in the order of hosts, then of subjects.

    beside: the control plane where the run leaves it alone. What stands is judged by it too.
    """
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
    return findings + check_standing([*hosts, *beside], settings)


def check_standing(hosts: Sequence[Host], settings: Settings) -> list[Finding]:
    """What a run must not do to the cluster that stands, and what it leaves as it is."""
    what = standing(hosts, settings)
    return [
        # A name that changed in the inventory is one of the fixed settings, and no host's fault.
        *(finding for host in hosts for finding in existing.check_cluster(host, what.name)),
        *membership.check_records(hosts, what, settings),
        *membership.check_control_plane(hosts, what, settings),
        *membership.check_authority(hosts, what),
        *membership.check_identity(what),
        *membership.check_nodes(what, settings),
        *fixed_settings.check_fixed_settings(what, settings),
        *running_versions.check_versions(what, settings),
    ]


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that differ only in the host as one, in the order of their first."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, where=""), []).append(finding.where)
    return [replace(finding, where=", ".join(names)) for finding, names in places.items()]
