"""Settings of Prometheus, Jaeger and Kiali."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, Any] = {
    "image": "example.org/x:1",
    "primary_family": "ipv4",
    "interval": "15s",
    "cluster_interval": "30s",
    "retention_time": "7d",
    "retention_size": "4GB",
    "resources": {"limits": {"memory": "1Gi"}},
    "node": "worker1",
    "storage": "/var/lib/twinstack/prometheus",
    "storage_size": "5Gi",
    "max_traces": 100,
    "domain": "cluster.local",
    "istiod": "istiod-blue",
    "nodes": [{"name": "one", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}],
    "watched_services": {"kube-dns.kube-system": 9153},
    "certificates": {},
    "path": "/srv/traces",
    "size": "2Gi",
    "retention": "72h",
    "ipvs_program": "print()\n",
    "ipvs_image": "example.org/python:1",
    "ipvs_port": 9254,
}
