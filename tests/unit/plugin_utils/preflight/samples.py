"""Hosts that are fit, whose results a test may spoil, and what is found on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import kernel as host_probe_kernel
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import parse_cluster
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings

CLUSTER: dict[str, Any] = {
    "name": "demo",
    "domain": "cluster.local",
    "primary_family": "ipv4",
    "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"],
    "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
    "node_mask": {"ipv4": 24, "ipv6": 64},
    "proxy_mode": "ipvs",
    "ipvs_min_sync_period": 3,
    "encapsulation": "VXLANCrossSubnet",
    "mtu": 0,
    "versions": {
        "kubernetes": "1.37.2",
        "containerd": "2.4.2",
        "etcd": "3.7.3",
        "coredns": "1.15.0",
        "calico": "3.28.5",
    },
    "api_name": "api.demo.internal",
    "api_port": 6443,
    "control_plane": [{"name": "cp1", "ipv4": "10.66.0.11", "ipv6": "fd66::11"}],
    "worker": [{"name": "worker1", "ipv4": "10.66.0.12", "ipv6": "fd66::12"}],
}
SETTINGS = Settings(
    cluster="demo",
    desired=parse_cluster(CLUSTER),
    systems={"debian": ["13"]},
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
        "own": {"present": False, "error": "", "cluster": "", "node": None},
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
    return [(item.level, item.where, item.field) for item in check_hosts(hosts, settings)]


def port(protocol: str, number: int, program: str) -> list[dict[str, Any]]:
    """One taken port."""
    return [{"protocol": protocol, "port": number, "family": "ipv4", "program": program}]
