"""Releases and limits of any service in the mesh, as Istio's objects: canaries and local rate limits. Pure.

Everything is exported to its own namespace alone, so that one team's mistake is not another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

API = "networking.istio.io/v1"
ENVOY = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
DESCRIPTOR = "twinstack_limit"
# Of the bucket that requests without a limit of their own take from: more than any proxy can answer in a second.
UNLIMITED = 1_000_000
HTTP_MANAGER = "envoy.filters.network.http_connection_manager"

Object = dict[str, Any]


@dataclass(frozen=True)
class Canary:
    """Releases of one Service.

    versions: values of the label ``version``, the first one is what everybody gets. headers: names of which any chooses
    a release by its name with hyphens for dots (``v0-0-2``); match: ``exact`` or ``prefix`` of that value. weights:
    share by version, in percent; with them there are no headers. gateway: of the namespace, empty = only inside the
    mesh; path: where it is found there, and hosts: under which names.
    """

    namespace: str
    service: str
    versions: tuple[str, ...]
    headers: tuple[str, ...] = ("version",)
    match: str = "exact"
    weights: Mapping[str, int] | None = None
    gateway: str = ""
    path: str = "/"
    hosts: tuple[str, ...] = ("*",)
    port: int = 80


@dataclass(frozen=True)
class Limit:
    """At most so many requests in so many seconds, in each proxy that enforces it: every pod has a bucket of its own.

    at: ``gateway`` (route is the name of the service whose requests count, whatever its release) or ``workload``.
    selector: labels of the pods whose proxies enforce it.
    """

    namespace: str
    name: str
    selector: Mapping[str, str]
    requests: int
    seconds: int = 1
    at: str = "workload"
    route: str = ""


def parse_canary(item: Mapping[str, Any]) -> Canary:
    """A Canary from an item of tenants_canary_routes."""
    return Canary(
        namespace=str(item["namespace"]),
        service=str(item["service"]),
        versions=tuple(str(version) for version in item["versions"]),
        headers=tuple(str(name) for name in item.get("headers", ["version"])),
        match=str(item.get("match", "exact")),
        weights={str(key): int(value) for key, value in item["weights"].items()} if item.get("weights") else None,
        gateway=str(item.get("gateway", "")),
        path=str(item.get("path", "/")),
        hosts=tuple(str(host) for host in item.get("hosts", ["*"])),
        port=int(item.get("port", 80)),
    )


def parse_limit(item: Mapping[str, Any]) -> Limit:
    """A Limit from an item of rate_limits."""
    return Limit(
        namespace=str(item["namespace"]),
        name=str(item["name"]),
        selector={str(key): str(value) for key, value in item["selector"].items()},
        requests=int(item["requests"]),
        seconds=int(item.get("seconds", 1)),
        at=str(item.get("at", "workload")),
        route=str(item.get("route", "")),
    )


def label(version: str) -> str:
    """A version as it stands in names and in header values: without dots."""
    return version.replace(".", "-")


# --- releases ---------------------------------------------------------------------------------------------------------


def canary_objects(canaries: Sequence[Canary], domain: str) -> list[Object]:
    """Subsets and rules of every Service, and the routes of every gateway, longest paths first.

    A Service may be in several items, with a path each.
    """
    found: list[Object] = []
    # A service may be found by several paths; inside the mesh the first of its items holds.
    for item in {(one.namespace, one.service): one for one in reversed(canaries)}.values():
        host = f"{item.service}.{item.namespace}.svc.{domain}"
        subsets = [{"name": label(version), "labels": {"version": version}} for version in item.versions]
        spec: Object = {"host": host, "subsets": subsets, "exportTo": ["."]}
        found.append(_object(API, "DestinationRule", item.namespace, item.service, spec))
        spec = {"hosts": [host], "gateways": ["mesh"], "exportTo": ["."], "http": rules(item, host, [{}])}
        found.append(_object(API, "VirtualService", item.namespace, item.service, spec))
    gateways: dict[tuple[str, str, tuple[str, ...]], list[Canary]] = {}
    for item in canaries:
        if item.gateway:
            gateways.setdefault((item.namespace, item.gateway, item.hosts), []).append(item)
    for number, ((space, gateway, hosts), items) in enumerate(sorted(gateways.items())):
        http = [
            rule
            for item in sorted(items, key=lambda one: (-len(one.path), one.path))
            for rule in rules(item, f"{item.service}.{space}.svc.{domain}", paths(item.path))
        ]
        spec = {"hosts": list(hosts), "gateways": [gateway], "exportTo": ["."], "http": http}
        several = sum(key[:2] == (space, gateway) for key in gateways) > 1
        found.append(_object(API, "VirtualService", space, f"{gateway}-routes{f'-{number}' if several else ''}", spec))
    return found


def paths(prefix: str) -> list[Object]:
    """Matches of a path and all below it. Not the prefix alone: /shop is not the beginning of /shopping."""
    bare = prefix.rstrip("/")
    return [{"uri": {"prefix": "/"}}] if not bare else [{"uri": {"exact": bare}}, {"uri": {"prefix": f"{bare}/"}}]


def rules(item: Canary, host: str, where: Sequence[Object]) -> list[Object]:
    """Rules of one Service: whoever names a release gets it, all others get the first one.

    where: alternatives that a request must meet besides; the part of a path that led here is taken off.
    """

    def route(version: str, weight: int | None = None) -> Object:
        destination = {"host": host, "subset": label(version), "port": {"number": item.port}}
        return {"destination": destination} | ({} if weight is None else {"weight": weight})

    rewrite: Object = {"rewrite": {"uri": "/"}} if any("uri" in one for one in where) and item.path.strip("/") else {}
    base: Object = {"match": list(where)} if any(where) else {}
    if item.weights:
        routes = [route(version, item.weights.get(version, 0)) for version in item.versions]
        return [{"name": item.service, **base, **rewrite, "route": routes}]
    found: list[Object] = []
    for version in item.versions[1:]:
        matches = [
            {**one, "headers": {name.lower(): {item.match: label(version)}}} for one in where for name in item.headers
        ]
        found.append({"name": item.service, "match": matches, **rewrite, "route": [route(version)]})
    return [*found, {"name": item.service, **base, **rewrite, "route": [route(item.versions[0])]}]


def _object(api: str, kind: str, namespace: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


# --- limits -----------------------------------------------------------------------------------------------------------


def rate_limit_objects(limits: Iterable[Limit]) -> list[Object]:
    """One EnvoyFilter for each set of proxies: one filter with a bucket for each limit, and what counts for which."""
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Limit]] = {}
    for item in limits:
        groups.setdefault((item.namespace, item.at, tuple(sorted(item.selector.items()))), []).append(item)
    found = []
    for (space, at, selector), items in sorted(groups.items()):
        patches = [_filter(at, items)]
        patches += [_counted(item) for item in items if at == "gateway"]
        spec: Object = {"workloadSelector": {"labels": dict(selector)}, "configPatches": patches}
        name = f"rate-limit-{at}-{min(item.name for item in items)}"
        found.append(_object("networking.istio.io/v1alpha3", "EnvoyFilter", space, name, spec))
    return found


def _bucket(requests: int, seconds: int) -> Object:
    """A bucket that is full at first and gets all its tokens back every so many seconds."""
    return {"max_tokens": requests, "tokens_per_fill": requests, "fill_interval": f"{seconds}s"}


def _filter(at: str, items: Sequence[Limit]) -> Object:
    share = {"numerator": 100, "denominator": "HUNDRED"}
    config: Object = {
        "stat_prefix": "http_local_rate_limiter",
        "filter_enabled": {"runtime_key": "local_rate_limit_enabled", "default_value": share},
        "filter_enforced": {"runtime_key": "local_rate_limit_enforced", "default_value": share},
    }
    if at == "gateway":
        config |= {
            "token_bucket": _bucket(UNLIMITED, 1),
            "descriptors": [
                {
                    "entries": [{"key": DESCRIPTOR, "value": item.route}],
                    "token_bucket": _bucket(item.requests, item.seconds),
                }
                for item in items
            ],
        }
    else:
        tightest = min(items, key=lambda item: item.requests / item.seconds)
        config["token_bucket"] = _bucket(tightest.requests, tightest.seconds)
    typed = {"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": ENVOY, "value": config}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "GATEWAY" if at == "gateway" else "SIDECAR_INBOUND",
            "listener": {"filterChain": {"filter": {"name": HTTP_MANAGER}}},
        },
        "patch": {
            "operation": "INSERT_FIRST",
            "value": {"name": "envoy.filters.http.local_ratelimit", "typed_config": typed},
        },
    }


def _counted(item: Limit) -> Object:
    """What makes the requests of one route take from one bucket, whichever of its rules they meet."""
    action = {"generic_key": {"descriptor_key": DESCRIPTOR, "descriptor_value": item.route}}
    return {
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {"route": {"name": item.route}}}},
        "patch": {"operation": "MERGE", "value": {"route": {"rate_limits": [{"actions": [action]}]}}},
    }
