"""What an inventory may say about a tenant's services, routes, limits and quota. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenant_containers
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads, traffic

SERVICE_FIELDS = ("name", "versions", "image", "port", "replicas", "limit", *tenant_containers.FIELDS)
ROUTE_FIELDS = ("service", "path", "headers", "match", "weights")
LIMIT_FIELDS = ("requests", "seconds", "at")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# What both a label's value and, with hyphens for dots, the end of a Deployment's name can be.
VERSION = re.compile(r"[a-z0-9]([-.a-z0-9]{0,18}[a-z0-9])?")
HEADER = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?")
PATH = re.compile(r"/[-A-Za-z0-9._~/]*")
PLACES = ("gateway", "workload")
MATCHES = ("exact", "prefix")


def check_services(place: str, field: str, item: Mapping[str, Any], gateways: int) -> Iterator[Finding]:
    """Services, routes, quota and reach of one tenant. gateways: how many pods its gateway has."""
    found: list[Finding] = []
    services, routes = item.get("services", []), item.get("routes", [])
    for key, value, fields in (("services", services, SERVICE_FIELDS), ("routes", routes, ROUTE_FIELDS)):
        if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
            found.append(Finding(place, f"{field}.{key}", shown(value), "a list of mappings"))
            continue
        for number, one in enumerate(value):
            unknown = sorted(str(name) for name in one if name not in fields)
            if unknown:
                found.append(
                    Finding(place, f"{field}.{key}[{number}]", ", ".join(unknown), f"only {', '.join(fields)}")
                )
    if found:
        yield from found
        return
    for number, one in enumerate(services):
        found += _service(place, f"{field}.services[{number}]", one)
    found += _once(place, f"{field}.services", services, "name")
    versions = {
        one.get("name"): one.get("versions", ["v0.0.1"]) for one in services if _texts(one.get("versions", ["v"]))
    }
    for number, one in enumerate(routes):
        found += _route(place, f"{field}.routes[{number}]", one, versions)
    paths = [one | {"path": one.get("path", f"/{one.get('service')}")} for one in routes]
    found += _once(place, f"{field}.routes", paths, "path")
    routed = {one.get("service") for one in routes}
    for number, one in enumerate(services):
        limit = one.get("limit")
        if isinstance(limit, Mapping) and limit.get("at", "gateway") == "gateway" and one.get("name") not in routed:
            expected = "at: workload, or a route, because only routed requests meet the gateway"
            found.append(Finding(place, f"{field}.services[{number}].limit.at", "gateway without a route", expected))
    found += _reaches(place, field, item.get("reaches", []))
    found += _quota(place, field, item, gateways, complete=not found)
    yield from found


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, str) for one in value)


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _once(place: str, field: str, items: Sequence[Mapping[str, Any]], key: str) -> Iterator[Finding]:
    """That no two items have the same value."""
    taken: dict[str, str] = {}
    for number, one in enumerate(items):
        value, here = one.get(key), f"{field}[{number}]"
        if isinstance(value, str) and taken.setdefault(value, here) != here:
            yield Finding(place, f"{here}.{key}", f"{value}, which is {taken[value]}'s", f"a {key} of its own")


def _service(place: str, field: str, one: Mapping[str, Any]) -> Iterator[Finding]:
    name, versions = one.get("name"), one.get("versions", ["v0.0.1"])
    if not isinstance(name, str) or not LABEL.fullmatch(name) or len(name) > 40:
        expected = "a DNS label of at most 40 characters"
        yield Finding(place, f"{field}.name", "nothing" if name is None else shown(name), expected)
    elif name == tenant_workloads.GATEWAY:
        yield Finding(place, f"{field}.name", f"{name}, the name of the tenant's gateway", "another name")
    if not _texts(versions) or not all(VERSION.fullmatch(version) for version in versions):
        expected = "a list of versions such as v0.0.1, the first one for everybody"
        yield Finding(place, f"{field}.versions", shown(versions), expected)
    elif len({traffic.label(version) for version in versions}) < len(versions):
        yield Finding(place, f"{field}.versions", shown(versions), "every version once")
    image = one.get("image", "")
    if not isinstance(image, str) or " " in image:
        yield Finding(place, f"{field}.image", shown(image), "the full name of an image that hosts have or can pull")
    if not _whole(one.get("port", 1), 1, 65535):
        yield Finding(place, f"{field}.port", shown(one["port"]), "a port, 1 to 65535")
    if not _whole(one.get("replicas", 1), 1, 1000):
        yield Finding(place, f"{field}.replicas", shown(one["replicas"]), "a whole number above 0")
    yield from tenant_containers.check_container(place, field, one)
    if "limit" in one:
        yield from _limit(place, f"{field}.limit", one["limit"])


def _limit(place: str, field: str, limit: Any) -> Iterator[Finding]:
    if not isinstance(limit, Mapping) or set(limit) - set(LIMIT_FIELDS):
        yield Finding(place, field, shown(limit), f"a mapping with {', '.join(LIMIT_FIELDS)}")
        return
    for key, least in (("requests", None), ("seconds", 1)):
        value = limit.get(key, least)
        if not _whole(value, 1, 1_000_000):
            yield Finding(
                place, f"{field}.{key}", "nothing" if value is None else shown(value), "a whole number above 0"
            )
    if limit.get("at", "gateway") not in PLACES:
        yield Finding(place, f"{field}.at", shown(limit["at"]), " or ".join(PLACES))


def _route(place: str, field: str, one: Mapping[str, Any], versions: Mapping[Any, Sequence[str]]) -> Iterator[Finding]:
    service = one.get("service")
    if service not in versions:
        expected = (
            f"one of {', '.join(map(str, versions))}, the tenant's services" if versions else "a service of the tenant"
        )
        yield Finding(place, f"{field}.service", "nothing" if service is None else shown(service), expected)
    path = one.get("path", "/")
    if not isinstance(path, str) or not PATH.fullmatch(path):
        yield Finding(place, f"{field}.path", shown(path), "a path, beginning with /")
    if "headers" in one and not (_texts(one["headers"]) and all(HEADER.fullmatch(name) for name in one["headers"])):
        yield Finding(place, f"{field}.headers", shown(one["headers"]), "a list of names of HTTP headers")
    if one.get("match", "exact") not in MATCHES:
        yield Finding(place, f"{field}.match", shown(one["match"]), " or ".join(MATCHES))
    if "weights" in one:
        yield from _weights(place, field, one, list(versions.get(service, [])))


def _weights(place: str, field: str, one: Mapping[str, Any], versions: Sequence[str]) -> Iterator[Finding]:
    weights = one["weights"]
    right = isinstance(weights, Mapping) and all(_whole(share, 0, 100) for share in weights.values())
    if not right or sum(weights.values()) != 100:
        yield Finding(place, f"{field}.weights", shown(weights), "a share by version, in percent, 100 in all")
    elif versions and set(weights) - set(versions):
        unknown = ", ".join(sorted(str(name) for name in set(weights) - set(versions)))
        yield Finding(place, f"{field}.weights", unknown, f"only {', '.join(versions)}, the service's versions")
    for key in ("headers", "match"):
        if key in one:
            yield Finding(place, f"{field}.{key}", f"{shown(one[key])} beside weights", "headers or weights")


def _reaches(place: str, field: str, reaches: Any) -> Iterator[Finding]:
    if reaches != [] and not (_texts(reaches) and all(LABEL.fullmatch(name) for name in reaches)):
        yield Finding(place, f"{field}.reaches", shown(reaches), "a list of namespaces")


def _quota(place: str, field: str, item: Mapping[str, Any], gateways: int, complete: bool) -> Iterator[Finding]:
    """That a quota is one, and that what the tenant runs is within it. complete: its services are known to be right."""
    given = item.get("quota", {})
    known = tenant_workloads.QUOTA
    if (
        not isinstance(given, Mapping)
        or set(given) - set(known)
        or not all(_whole(v, 1, 10_000) for v in given.values())
    ):
        yield Finding(
            place, f"{field}.quota", shown(given), f"a mapping with {', '.join(known)}, whole numbers above 0"
        )
        return
    if not complete:
        return
    quota = tenant_workloads.quota(item)
    for key, count in tenant_workloads.needed(item, gateways).items():
        if count > quota[key]:
            found = f"{quota[key]}, but its services and gateway need {count}"
            yield Finding(place, f"{field}.quota.{key}", found, f"at least {count}, or fewer services")
