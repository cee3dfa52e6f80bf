"""What proxies themselves say of their clusters and routes, by Envoy's own pages. Pure.

Only a proxy knows what it has taken. istiod waits before it pushes (PILOT_DEBOUNCE_AFTER, up to PILOT_DEBOUNCE_MAX), so
that until then it reports every proxy to be in step with a configuration that lacks the change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_PROXY
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Object

# pilot-agent is in every proxy's image; a shell is not.
CLUSTERS = ["pilot-agent", "request", "GET", "clusters"]
ROUTES = ["pilot-agent", "request", "GET", "config_dump?resource=dynamic_route_configs"]
OUTBOUND = "outbound|"
# istiod gives it to every proxy: where it is missing, the proxy has no configuration yet.
ALWAYS = "BlackHoleCluster"
HEALTHY = "::health_flags::healthy"


@dataclass(frozen=True)
class Proxy:
    """A pod whose proxy runs. leaving: the pod is on its way out, and its proxy may be gone with the next look."""

    namespace: str
    pod: str
    leaving: bool


def running(pods: Iterable[Object], namespaces: Iterable[str]) -> list[Proxy]:
    """Pods of namespaces with a proxy that runs; one that does not gets the newest configuration when it starts."""
    wanted, found = set(namespaces), []
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status", {})
        containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        if metadata.get("namespace") in wanted and any(
            one["name"] == ISTIO_PROXY and (one.get("state") or {}).get("running") is not None for one in containers
        ):
            leaving = bool(metadata.get("deletionTimestamp"))
            found.append(Proxy(metadata["namespace"], metadata["name"], leaving))
    return sorted(found, key=lambda one: (one.namespace, one.pod))


def cluster(host: str, port: int, subset: str) -> str:
    """The name that istiod gives a cluster."""
    return f"{OUTBOUND}{port}|{subset}|{host}"


def hosts_of_clusters(text: str) -> dict[str, int]:
    """How many healthy hosts each active cluster of a proxy has, by what CLUSTERS prints. None while it warms up."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, separator, _ = line.partition("::")
        if separator:
            found[name] = found.get(name, 0) + line.endswith(HEALTHY)
    return found


def lacking(there: Mapping[str, int], wanted: Iterable[str]) -> list[str]:
    """Clusters that a proxy cannot send requests to yet. Without any of their host it never will: it needs none."""
    if ALWAYS not in there:
        return ["lacks any configuration"]
    hosts = {name.rpartition("|")[2] for name in there if name.startswith(OUTBOUND)}
    needed = [name for name in wanted if name.rpartition("|")[2] in hosts]
    return sorted(
        f"lacks cluster {name}" if name not in there else f"lacks endpoints of cluster {name}"
        for name in needed
        if not there.get(name)
    )


def routed(text: str) -> set[str]:
    """Clusters that a proxy's routes lead to, by what ROUTES prints. Raises ValueError when that is no JSON."""
    return set(_clusters(json.loads(text)))


def _clusters(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(OUTBOUND):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _clusters(one)
    elif isinstance(value, list):
        for one in value:
            yield from _clusters(one)


def still(routes: Iterable[str], host: str, subsets: Iterable[str]) -> list[str]:
    """Routes that still lead to subsets of a host which are to go."""
    gone = set(subsets)
    parts = [name.split("|") for name in routes]
    left = {part[2] for part in parts if len(part) == 4 and part[3] == host and part[2] in gone}
    return [f"still has a route to {subset}" for subset in sorted(left)]
