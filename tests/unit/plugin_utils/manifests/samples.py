"""Settings of a small cluster."""

from __future__ import annotations

from typing import Any


def settings(**changes: Any) -> dict[str, Any]:
    """Settings of a small cluster, with changes."""
    data: dict[str, Any] = {
        "name": "t",
        "domain": "cluster.local",
        "primary_family": "ipv4",
        "pod_cidrs": ["10.244.0.0/16", "FD66:0244:0::/56"],
        "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
        "node_mask": {"ipv4": 24, "ipv6": 64},
        "proxy_mode": "ipvs",
        "ipvs_min_sync_period": 3,
        "encapsulation": "VXLANCrossSubnet",
        "mtu": 0,
        "versions": {"kubernetes": "1.37.2", "coredns": "1.15.0", "etcd": "3.7.3"},
        "api_name": "api.t",
        "api_port": 6443,
        "control_plane": [{"name": "cp1", "ipv4": "10.0.0.1", "ipv6": "fd00::1"}],
        "worker": [{"name": "w1", "ipv4": "10.0.0.2", "ipv6": "fd00::2"}],
    }
    return data | changes
