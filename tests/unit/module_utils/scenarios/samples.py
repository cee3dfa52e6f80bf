"""The known scenarios with the tenants of the lab, and answers to them."""

from __future__ import annotations

import json
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model

from tests.conftest import ROOT

NODES = [{"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}, {"IPv4": "192.0.2.2", "IPv6": "2001:db8::2"}]
EXTERNAL = {"port": 18098, "ipv4": "192.0.2.9", "ipv6": "2001:db8::9"}
KNOWN: list[dict[str, Any]] = yaml.safe_load((ROOT / "roles/scenarios/vars/main.yml").read_text())["scenarios_known"]
TENANTS = model.parse_tenants(
    yaml.safe_load((ROOT / "inventory/lab/group_vars/all/tenants.yml").read_text())["twinstack_tenants"]
)
IDS = [item["id"] for item in KNOWN]


def asked(name: str, external: dict[str, Any] | None = None) -> list[model.RequestSpec]:
    """Requests of one of the known scenarios."""
    (scenario,) = [item for item in KNOWN if item["id"] == name]
    return list(model.request_specs(scenario, TENANTS, NODES, "cafe", EXTERNAL if external is None else external))


def told(*hops: str, **more: Any) -> dict[str, Any]:
    """An answer of a chain of services."""
    body: Any = None
    for hop in reversed(hops):
        service, version = hop.split()
        body = {"service": service, "version": version, "pod": "p", "caller": {}, "called": body}
    return {"status": 200, "text": json.dumps(body), "error": "", "milliseconds": 1.0, **more}


def want(**fields: Any) -> model.RequestSpec:
    """A request that expects something."""
    return model.RequestSpec("S", "IPv4", "foo", "outside", "t", "http://x/", **fields)
