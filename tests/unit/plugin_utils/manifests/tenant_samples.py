"""Two tenants, hosts outside the mesh, and the objects of tenants by name."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.filter import tenants as filters

FOO: dict[str, Any] = {"name": "foo", "http_port": 30080, "https_port": 30443, "hosts": ["foo.example"]}
BAR: dict[str, Any] = {"name": "bar", "http_port": 30081}
#: Its services have versions, a route and limits at both places.
BUSY: dict[str, Any] = {
    "name": "foo",
    "http_port": 30080,
    "reaches": ["billing"],
    "services": [
        {"name": "shop", "versions": ["v1.0", "v1.1"], "limit": {"requests": 20}},
        {"name": "stock", "image": "example.org/stock:2", "port": 9000, "limit": {"requests": 5, "at": "workload"}},
    ],
    "routes": [{"service": "shop", "path": "/shop", "headers": ["version", "shopVersion"]}],
}
DATABASE: dict[str, Any] = {
    "name": "database",
    "hosts": ["db.example"],
    "addresses": ["192.168.1.20", "fd00::20"],
    "ports": [{"number": 5432, "protocol": "TCP"}],
}
SHOP: dict[str, Any] = {
    "name": "shop",
    "hosts": ["shop.example", "www.shop.example"],
    "ports": [{"number": 443, "protocol": "TLS"}, {"number": 80, "protocol": "HTTP"}],
}


def objects(*tenants: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """All objects of tenants, by the filter that role tenants uses, with changed settings."""
    settings = {
        "tenants": list(tenants),
        "primary_family": "ipv4",
        "domain": "cluster.local",
        "default_revision": "stable",
        "resources": {"limits": {"memory": "256Mi"}},
        "demo_image": "twinstack.internal/demo:1",
        "workload_resources": {"limits": {"memory": "128Mi"}},
    }
    return filters.tenant_objects(settings | changes)


def named(found: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """All objects of a kind by name."""
    return {item["metadata"]["name"]: item for item in found if item["kind"] == kind}


def spec(found: list[dict[str, Any]], kind: str, name: str = "gateway") -> dict[str, Any]:
    """What one object says."""
    asked: dict[str, Any] = named(found, kind)[name]["spec"]
    return asked
