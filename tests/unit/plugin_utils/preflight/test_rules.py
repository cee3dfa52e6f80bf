"""host_rules and host_check: a fit host has no findings, and each thing that is wrong has exactly its own."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import kernel as host_probe_kernel
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import rules as host_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.rules import Host, Settings

REPOSITORY = Path(__file__).resolve().parents[4]
SETTINGS = Settings(
    cluster="demo",
    api_port=6443,
    mtu=0,
    proxy_mode="ipvs",
    encapsulation="VXLANCrossSubnet",
    cidrs={
        "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"],
        "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
    },
    min_cpus=2,
    min_memory_mb=1700,
    min_disk_gb=10,
    cgroup_controllers=["cpu", "cpuset", "memory", "pids"],
    max_clock_offset_seconds=1.0,
    swap_is_turned_off=True,
    foreign_firewall="refuse",
    control_plane=["cp1"],
)


def address(family: str, value: str, *flags: str) -> dict[str, Any]:
    """An address entry as the probe returns it."""
    return {"family": family, "address": value, "prefix": 24, "scope": "global", "flags": list(flags)}


def probe(number: int) -> dict[str, Any]:
    """What host_probe finds on a fit host."""
    return {
        "os": {"id": "debian", "version": "13", "name": "Debian GNU/Linux 13"},
        "architecture": "x86_64",
        "kernel": "6.12.0",
        "hostname": f"host{number}",
        "machine_id": f"{number:032x}",
        "cgroups": {"version": 2, "controllers": ["cpu", "cpuset", "io", "memory", "pids"]},
        "features": {name: {"state": "available", "by": "modules.dep"} for name in host_probe_kernel.FEATURES},
        "cpus": 2,
        "memory": {"total_mb": 3900, "available_mb": 3000},
        "disk_free_gb": 30.0,
        "metrics_disk_gb": 50.0,
        "swap": [],
        "clock": {"seconds": 1.0, "synchronised": True},
        "ports": [],
        "stale": {"paths": [], "links": [], "ipvs_services": 0},
        "own": {"present": False, "error": "", "cluster": ""},
        "firewall": [],
        "links": {
            "eth0": {
                "mtu": 1500,
                "up": True,
                "running": True,
                "kind": "",
                "vxlan_port": 0,
                "addresses": [address("ipv4", f"10.66.0.{number}"), address("ipv6", f"fd66::{number}")],
            }
        },
        "routes": {
            family: [
                {"destination": "default", "type": "unicast", "device": "eth0", "gateway": "x", "protocol": "static"}
            ]
            for family in ("ipv4", "ipv6")
        },
        "sysctls": {
            "net/ipv6/conf/all/disable_ipv6": "0",
            "net/ipv6/conf/default/disable_ipv6": "0",
            "net/ipv6/conf/eth0/accept_ra": "1",
        },
    }


def pair(address: str) -> dict[str, Any]:
    """What peer_probe finds on a good way."""
    return {
        "address": address,
        "reachable": True,
        "milliseconds": 0.4,
        "clock_offset_seconds": 0.0,
        "link_mtu": 1500,
        "path_mtu": 1500,
        "tcp": True,
        "vxlan": True,
        "vxlan_skipped": "",
        "errors": {},
    }


@dataclass(frozen=True)
class Sample(Host):
    """A host whose results a test may spoil."""

    probe: dict[str, Any]
    peers: dict[str, Any]


def fit_hosts() -> list[Sample]:
    """cp1 and worker1, which nothing is wrong with."""
    names = {"cp1": 11, "worker1": 12}
    hosts = []
    for name, number in names.items():
        peers = {
            peer: {"ipv4": pair(f"10.66.0.{other}"), "ipv6": pair(f"fd66::{other}")}
            for peer, other in names.items()
            if peer != name
        }
        addresses = {"ipv4": f"10.66.0.{number}", "ipv6": f"fd66:0::{number}"}
        hosts.append(Sample(name, addresses, probe(number), {"peers": peers, "bind_errors": {}, "seconds": 1.0}))
    return hosts


def findings(hosts: list[Sample], settings: Settings = SETTINGS) -> list[tuple[str, str, str]]:
    """Level, where and field of every finding."""
    return [(item.level, item.where, item.field) for item in host_rules.check_hosts(hosts, settings)]


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


def port(protocol: str, number: int, program: str) -> list[dict[str, Any]]:
    """One taken port."""
    return [{"protocol": protocol, "port": number, "family": "ipv4", "program": program}]


def table(rules: int, **policies: str) -> list[dict[str, Any]]:
    """One foreign table of a firewall."""
    return [{"tool": "nft", "table": "inet filter", "rules": rules, "policies": policies}]


V4, V6 = address("ipv4", "10.66.0.11"), address("ipv6", "fd66::11")
OTHER_ROUTE = {"destination": "10.244.3.0/24", "type": "unicast", "device": "eth1", "gateway": "", "protocol": "static"}
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


def test_a_host_route_into_the_pod_network_is_refused() -> None:
    hosts = fit_hosts()
    hosts[1].probe["routes"]["ipv4"].append(OTHER_ROUTE)
    assert findings(hosts) == [("error", "worker1", "pod_cidrs")]
    hosts[1].probe["routes"]["ipv4"][1] = {**OTHER_ROUTE, "device": "vxlan.calico", "protocol": "80"}
    assert findings(hosts) == []


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("path_mtu", 1400, "{} path MTU"),
        ("tcp", False, "{} TCP"),
        ("vxlan", False, "{} UDP 4789 (VXLAN)"),
        ("reachable", False, "{} reachability"),
    ],
)
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_broken_way_is_named_with_direction_and_family(key: str, value: Any, field: str, family: str) -> None:
    hosts = fit_hosts()
    hosts[0].peers["peers"]["worker1"][family][key] = value
    assert findings(hosts) == [("error", "cp1 -> worker1", field.format(family))]


def test_a_skipped_vxlan_port_is_no_finding() -> None:
    hosts = fit_hosts()
    hosts[0].peers["peers"]["worker1"]["ipv6"].update(vxlan=False, vxlan_skipped="taken on worker1")
    assert findings(hosts) == []


def test_without_encapsulation_vxlan_is_not_asked_for() -> None:
    hosts = fit_hosts()
    hosts[0].probe["features"]["vxlan"]["state"] = "absent"
    hosts[0].probe["ports"] = port("udp", 4789, "other")
    hosts[0].peers["peers"]["worker1"]["ipv4"]["vxlan"] = False
    assert findings(hosts, replace(SETTINGS, encapsulation="None")) == []


def test_a_clock_offset_is_reported_once_per_pair() -> None:
    hosts = fit_hosts()
    for family in ("ipv4", "ipv6"):
        hosts[0].peers["peers"]["worker1"][family]["clock_offset_seconds"] = -3.5
        hosts[1].peers["peers"]["cp1"][family]["clock_offset_seconds"] = 3.5
    (finding,) = host_rules.check_hosts(hosts, SETTINGS)
    assert finding.where == "cp1 -> worker1"
    assert finding.found == "worker1 is 3.500 s behind"


@pytest.mark.parametrize(
    ("host", "size", "wrong"), [("worker1", "51GB", True), ("worker1", "50GB", False), ("", "9TB", False)]
)
def test_metrics_that_are_kept_fit_on_their_hosts_disk(host: str, size: str, wrong: bool) -> None:
    settings = replace(SETTINGS, metrics_host=host, metrics_size=size)
    found = host_rules.check_hosts(fit_hosts(), settings)
    assert [(one.where, one.field) for one in found] == [
        ("worker1", "disk for observability_prometheus_storage_path")
    ] * wrong
    assert all("observability_prometheus_retention_size, 51GB" in one.expected for one in found)


def test_our_own_cluster_is_no_obstacle_and_a_strange_program_on_its_port_is() -> None:
    hosts = fit_hosts()
    found = hosts[0].probe
    found["own"]["present"] = True
    found["stale"] = {"paths": ["/var/lib/etcd"], "links": ["kube-ipvs0"], "ipvs_services": 9}
    found["ports"] = port("tcp", 6443, "kube-apiserver") + port("udp", 4789, "")
    found["disk_free_gb"] = 2.0
    assert findings(hosts) == []
    found["ports"] = port("tcp", 6443, "nginx")
    assert findings(hosts) == [("error", "cp1", "port 6443/tcp")]


def test_control_plane_ports_do_not_matter_on_a_worker() -> None:
    hosts = fit_hosts()
    hosts[1].probe["ports"] = port("tcp", 6443, "nginx")
    assert findings(hosts) == []


def test_what_must_be_equal_on_all_hosts() -> None:
    hosts = fit_hosts()
    hosts[1].probe["links"]["eth0"]["mtu"] = 9000
    hosts[1].probe["machine_id"] = hosts[0].probe["machine_id"]
    assert findings(hosts) == [
        ("error", "worker1", "mtu of the ipv4 link"),
        ("error", "worker1", "mtu of the ipv6 link"),
        ("error", "cp1, worker1", "/etc/machine-id"),
    ]


def test_a_small_mtu_leaves_no_room_for_vxlan() -> None:
    hosts = fit_hosts()
    for host in hosts:
        host.probe["links"]["eth0"]["mtu"] = 1340
    assert {field for _, _, field in findings(hosts)} == {"mtu of eth0"}


@pytest.mark.parametrize(
    ("mtu", "encapsulation", "fits"),
    [
        (0, "VXLAN", True),
        (1430, "VXLAN", True),
        (1431, "VXLANCrossSubnet", False),
        (1500, "None", True),
        (1501, "None", False),
    ],
)
def test_the_pods_mtu_must_fit_into_the_links(mtu: int, encapsulation: str, fits: bool) -> None:
    expected = [] if fits else [("error", "cp1", "twinstack_mtu"), ("error", "worker1", "twinstack_mtu")]
    assert findings(fit_hosts(), replace(SETTINGS, mtu=mtu, encapsulation=encapsulation)) == expected


def test_a_host_of_another_cluster_of_ours_is_refused() -> None:
    hosts = fit_hosts()
    hosts[1].probe["own"].update(present=True, cluster="demo")
    assert findings(hosts) == []
    hosts[1].probe["own"]["cluster"] = "old"
    (finding,) = host_rules.check_hosts(hosts, SETTINGS)
    assert (finding.where, finding.field, finding.found) == ("worker1", "cluster", "a host of cluster old")
    assert "reset_confirm=old" in finding.hint


def test_the_apis_port_is_the_inventorys() -> None:
    hosts = fit_hosts()
    hosts[0].probe["own"]["present"] = True
    hosts[0].probe["ports"] = port("tcp", 7443, "kube-apiserver")
    assert findings(hosts, replace(SETTINGS, api_port=7443)) == []
    hosts[0].probe["ports"] = port("tcp", 7443, "nginx")
    assert findings(hosts, replace(SETTINGS, api_port=7443)) == [("error", "cp1", "port 7443/tcp")]
    hosts[1].probe["ports"] = port("tcp", 7443, "nginx")
    assert len(findings(hosts, replace(SETTINGS, api_port=7443))) == 1, "no worker has it"


def test_swap_is_an_error_only_when_nobody_turns_it_off() -> None:
    hosts = fit_hosts()
    hosts[0].probe["swap"] = ["/dev/sda2"]
    assert findings(hosts) == []
    assert findings(hosts, replace(SETTINGS, swap_is_turned_off=False)) == [("error", "cp1", "swap")]


def test_one_complete_iptables_back_end_is_enough() -> None:
    hosts = fit_hosts()
    features = hosts[0].probe["features"]
    features["ip6table_nat"]["state"] = "absent"
    assert findings(hosts) == []
    features["nft_compat"]["state"] = "absent"
    assert findings(hosts) == [("error", "cp1", "kernel.iptables_nat")]


def test_every_feature_that_is_asked_for_is_one_that_is_probed() -> None:
    for mode in ("ipvs", "nftables"):
        wanted = host_rules.wanted_features(replace(SETTINGS, proxy_mode=mode))
        assert set(wanted) <= set(host_probe_kernel.FEATURES)
    assert {name for backend in host_rules.IPTABLES_BACKENDS for name in backend} <= set(host_probe_kernel.FEATURES)


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
    found = [(item.where, item.field) for item in host_rules.merged(host_rules.check_hosts(hosts, SETTINGS))]
    assert found == [("cp1, worker1", "cpus"), ("worker1", "memory")]


# --- the action, in a real play ---------------------------------------------------------------------------------


def play(tmp_path: Path, spoil: Any) -> subprocess.CompletedProcess[str]:
    """Run the action in a real play over two hosts whose probe results are given as variables."""
    hosts = fit_hosts()
    variables = {}
    for host in hosts:
        spoil(host)
        variables[host.name] = {**host.addresses, "one": {"probe": host.probe}, "two": host.peers}
    settings = {key: value for key, value in vars(SETTINGS).items() if key != "control_plane"}
    task = {
        "name": "Judge",
        "twinstack.core.host_check": {
            **settings,
            "hosts": list(variables),
            "control_plane": ["cp1"],
            "host_probe": "one",
            "peer_probe": "two",
        },
        "run_once": True,
    }
    playbook = [{"name": "Play", "hosts": "all", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(json.dumps(playbook), encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": variables}}), encoding="utf-8")
    return subprocess.run(
        ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_fit_hosts_pass(tmp_path: Path) -> None:
    done = play(tmp_path, lambda host: None)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_errors_come_in_one_list_and_warnings_beside_them(tmp_path: Path) -> None:
    def spoil(host: Any) -> None:
        host.probe["cpus"] = 1
        host.probe["clock"]["synchronised"] = False
        if host.name == "worker1":
            host.probe["memory"]["total_mb"] = 500
            host.peers["peers"]["cp1"]["ipv6"]["reachable"] = False

    done = play(tmp_path, spoil)
    assert done.returncode != 0
    for line in (
        "3 reasons not to touch any host:",
        "1. [error] cp1, worker1: cpus: found 1; expected at least 2 (preflight_min_cpus)",
        "2. [error] worker1: memory: found 500 MiB; expected at least 1700 MiB (preflight_min_memory_mb)",
        "3. [error] worker1 -> cp1: ipv6 reachability: found no answer from fd66::11; expected an answer by UDP.",
        "4. [warning] cp1, worker1: clock: found no time service has set it",
    ):
        assert line in done.stdout


def test_a_host_without_results_is_named(tmp_path: Path) -> None:
    def spoil(host: Any) -> None:
        if host.name == "cp1":
            host.probe.clear()
            host.peers.clear()

    done = play(tmp_path, spoil)
    assert "[error] cp1: probe: found no result; expected a host that answers over SSH" in done.stdout


def test_every_watched_port_has_an_owner() -> None:
    """A port without one would end the check of a built cluster with an error of our own."""
    watched = {(protocol, port) for protocol, ports in host_probe_network.PORTS.items() for port in ports}
    assert watched <= set(host_rules.OWN_PROGRAMS)
