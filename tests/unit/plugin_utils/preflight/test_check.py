"""A fit host has no findings, each thing that is wrong has exactly its own, and all errors come together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts, merged

from tests.unit.plugin_utils.preflight.samples import SETTINGS, address, findings, fit_hosts, port
from tests.unit.plugin_utils.preflight.standing_samples import of, standing_hosts


def test_fit_hosts_have_no_findings() -> None:
    assert findings(fit_hosts()) == []


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A function that sets one value of a probe by its dotted path."""

    def apply(found: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            found = found[key]
        found[last] = value

    return apply


def table(rules: int, **policies: str) -> list[dict[str, Any]]:
    """One foreign table of a firewall."""
    return [{"tool": "nft", "table": "inet filter", "rules": rules, "policies": policies}]


V4, V6 = address("ipv4", "10.66.0.11"), address("ipv6", "fd66::11")
RA_ROUTE = {"destination": "default", "type": "unicast", "device": "eth0", "gateway": "fe80::1", "protocol": "ra"}


@pytest.mark.parametrize(
    ("wrong", "level", "field"),
    [
        (change("os", {"id": "debian", "version": "12", "name": "Debian 12"}), "error", "os"),
        (change("os", {"id": "fedora", "version": "44", "name": "Fedora 44"}), "error", "os"),
        (change("cgroups", {"version": 1, "controllers": []}), "error", "cgroups.version"),
        (change("cgroups.controllers", ["cpu", "memory", "pids"]), "error", "cgroups.controllers"),
        (change("features.ip_vs", {"state": "absent", "by": "modules.dep"}), "error", "kernel.ip_vs"),
        (change("features.vxlan", {"state": "absent", "by": "=m, but no file vxlan.ko"}), "error", "kernel.vxlan"),
        (change("features.ip_vs_nfct", {"state": "unknown", "by": "nothing"}), "warning", "kernel.ip_vs_nfct"),
        (change("cpus", 1), "error", "cpus"),
        (change("memory.total_mb", 1024), "error", "memory"),
        (change("disk_free_gb", 3.5), "error", "disk free in /var"),
        (change("clock.synchronised", False), "warning", "clock"),
        (change("ports", port("tcp", 6443, "nginx")), "error", "port 6443/tcp"),
        (change("ports", port("udp", 4789, "")), "error", "port 4789/udp"),
        (change("stale.paths", ["/var/lib/etcd"]), "error", "stale state"),
        (change("stale.links", ["kube-ipvs0"]), "error", "stale links"),
        (change("stale.ipvs_services", 3), "error", "IPVS"),
        (change("own.error", "no JSON"), "error", "/etc/twinstack/host.json"),
        (change("firewall", table(0, FORWARD="DROP")), "error", "firewall nft inet filter"),
        (change("firewall", table(2)), "warning", "firewall nft inet filter"),
        (change("links.eth0.addresses", [V4]), "error", "ipv6"),
        (change("links.eth0.addresses", [V6]), "error", "ipv4"),
        (
            change("links.eth0.addresses", [V4, address("ipv6", "fd66::11", "tentative", "dadfailed")]),
            "error",
            "ipv6 fd66:0::11 on eth0",
        ),
        (
            change("links.eth0.addresses", [V4, address("ipv6", "fd66::11", "tentative")]),
            "error",
            "ipv6 fd66:0::11 on eth0",
        ),
        (
            change("links.eth0.addresses", [V4, address("ipv6", "fd66::11", "deprecated")]),
            "error",
            "ipv6 fd66:0::11 on eth0",
        ),
        (change("sysctls.net/ipv6/conf/all/disable_ipv6", "1"), "error", "net.ipv6.conf.all.disable_ipv6"),
        (change("routes.ipv6", [RA_ROUTE]), "error", "net.ipv6.conf.eth0.accept_ra"),
        (change("routes.ipv6", []), "warning", "default route ipv6"),
    ],
)
def test_one_thing_wrong_gives_its_one_finding(wrong: Callable[[dict[str, Any]], None], level: str, field: str) -> None:
    hosts = fit_hosts()
    wrong(hosts[0].probe)
    assert findings(hosts) == [(level, "cp1", field)]


def test_all_errors_of_all_hosts_come_together() -> None:
    hosts = copy.deepcopy(fit_hosts())
    for host in hosts:
        host.probe["cpus"] = 1
        host.probe["cgroups"]["version"] = 1
    assert [where for _, where, _ in findings(hosts)] == ["cp1", "cp1", "worker1", "worker1"]


def test_the_same_finding_on_several_hosts_is_one_line() -> None:
    hosts = fit_hosts()
    for host in hosts:
        host.probe["cpus"] = 1
    hosts[1].probe["memory"]["total_mb"] = 500
    found = [(item.where, item.field) for item in merged(check_hosts(hosts, SETTINGS))]
    assert found == [("cp1, worker1", "cpus"), ("worker1", "memory")]


def test_a_limited_run_is_judged_by_the_control_plane_that_it_leaves_alone() -> None:
    """The control plane itself is not: it may lack memory, and another run says so."""
    control_plane, worker = standing_hosts()
    of(worker)["ca_digest"] = "other"
    control_plane.probe["memory"]["total_mb"] = 1
    assert [found.field for found in check_hosts([worker], SETTINGS, [])] == []
    (finding,) = check_hosts([worker], SETTINGS, [control_plane])
    assert (finding.where, finding.found) == ("worker1", "the CA of another cluster of this name")
