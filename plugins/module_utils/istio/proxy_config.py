"""How much configuration one proxy has, counted from Envoy's own dump of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

END = "@END@"
DUMP = "curl -sS 'http://localhost:15000/config_dump?include_eds'"
COMMAND = ["sh", "-c", f"{DUMP}; echo; curl -sS http://localhost:15000/memory; echo {END}"]
# Part of the dump by its type, the field that lists what istiod sent, and our name for it.
PARTS = {
    "ListenersConfigDump": ("dynamic_listeners", "listeners"),
    "ClustersConfigDump": ("dynamic_active_clusters", "clusters"),
    "RoutesConfigDump": ("dynamic_route_configs", "routes"),
    "EndpointsConfigDump": ("dynamic_endpoint_configs", "endpoints"),
}


def parse(output: str) -> dict[str, int]:
    """Counts out of what COMMAND prints. Raises ValueError when it is not that.

    listeners, clusters, routes (virtual hosts), endpoints (addresses), bytes of all four as JSON, and memory in bytes;
    outbound: those of the clusters that lead to Services; hosts: endpoints however many addresses each has.
    """
    decoder = json.JSONDecoder()
    text = output.strip().removesuffix(END)
    dump, end = decoder.raw_decode(text)
    memory, _ = decoder.raw_decode(text[end:].lstrip())
    found = {name: 0 for _, name in PARTS.values()} | {"bytes": 0, "memory": int(memory["allocated"])}
    found |= {"outbound": 0, "hosts": 0}
    for part in dump["configs"]:
        kind = str(part.get("@type", "")).rpartition(".")[2]
        if kind not in PARTS:
            continue
        field, name = PARTS[kind]
        items = part.get(field) or []
        found["bytes"] += len(json.dumps(items, separators=(",", ":")))
        found[name] += sum(_count(name, item) for item in items)
        if name == "clusters":
            names = [(item.get("cluster") or {}).get("name", "") for item in items]
            found["outbound"] += sum(1 for one in names if one.startswith("outbound|"))
        elif name == "endpoints":
            found["hosts"] += sum(len(_hosts(item)) for item in items)
    return found


def _count(name: str, item: Mapping[str, Any]) -> int:
    """How many of a kind one entry of the dump is."""
    if name == "routes":
        return len((item.get("route_config") or {}).get("virtual_hosts") or [])
    if name == "endpoints":
        return sum(_addresses(one) for one in _hosts(item))
    return 1


def _hosts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    localities = (item.get("endpoint_config") or {}).get("endpoints") or []
    return [one for locality in localities for one in locality.get("lb_endpoints") or []]


def _addresses(one: Mapping[str, Any]) -> int:
    return 1 + len((one.get("endpoint") or {}).get("additional_addresses") or [])
