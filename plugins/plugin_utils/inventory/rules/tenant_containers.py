"""What an inventory may say about the container of a tenant's service: probes, env, resources. Pure.

Each is Kubernetes' own field. What the API server would refuse only while it is applied is refused here, as far as one
field tells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads

FIELDS = ("probes", "env", "resources")
HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
SECONDS = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds")
TIMES = (*SECONDS, "successThreshold", "failureThreshold", "terminationGracePeriodSeconds")
RESOURCES = ("requests", "limits")
VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


def check_container(place: str, field: str, one: Mapping[str, Any]) -> Iterator[Finding]:
    """What a service says of its container."""
    if "probes" in one:
        yield from _probes(place, f"{field}.probes", one["probes"])
    if "env" in one:
        yield from _env(place, f"{field}.env", one["env"])
    if "resources" in one and not _resources(one["resources"]):
        expected = f"a mapping with {', '.join(RESOURCES)}, each with quantities such as cpu: 100m, memory: 64Mi"
        yield Finding(place, f"{field}.resources", shown(one["resources"]), expected)


def _probes(place: str, field: str, probes: Any) -> Iterator[Finding]:
    kinds = tuple(tenant_workloads.PROBES)
    if not isinstance(probes, Mapping) or set(probes) - set(kinds):
        yield Finding(place, field, shown(probes), f"a mapping with {', '.join(kinds)}")
        return
    for kind, probe in probes.items():
        here = f"{field}.{kind}"
        unknown = sorted(str(name) for name in probe if name not in HANDLERS + TIMES) if _mapping(probe) else []
        if unknown:
            yield Finding(place, here, ", ".join(unknown), f"only {', '.join(HANDLERS + TIMES)}")
        elif not _mapping(probe) or len(set(HANDLERS) & set(probe)) != 1:
            yield Finding(place, here, shown(probe), f"one of {', '.join(HANDLERS)}")
        else:
            for name in TIMES:
                least = 0 if name == "initialDelaySeconds" else 1
                value = probe.get(name, least)
                if not isinstance(value, int) or isinstance(value, bool) or value < least:
                    expected = "a whole number above 0" if least else "a whole number, 0 or more"
                    yield Finding(place, f"{here}.{name}", shown(value), expected)


def _env(place: str, field: str, env: Any) -> Iterator[Finding]:
    """Values are not shown: they may be secrets."""
    expected = "with name, and with value, a text, or valueFrom"
    if not isinstance(env, list | tuple) or not all(_mapping(one) for one in env):
        yield Finding(place, field, _kind(env), f"a list of mappings, each {expected}")
        return
    taken: dict[str, str] = {}
    for number, one in enumerate(env):
        here = f"{field}[{number}]"
        right = not set(one) - {"name", "value", "valueFrom"} and not {"value", "valueFrom"} <= set(one)
        right = right and isinstance(one.get("value", ""), str) and _mapping(one.get("valueFrom", {}))
        if not right or not isinstance(one.get("name"), str) or not VARIABLE.fullmatch(one["name"]):
            found = {key: value if key == "name" else _kind(value) for key, value in one.items()}
            yield Finding(place, here, shown(found), f"a mapping {expected}")
        elif taken.setdefault(one["name"], here) != here:
            yield Finding(place, f"{here}.name", f"{one['name']}, which is {taken[one['name']]}'s", "a name of its own")


def _kind(value: Any) -> str:
    """What a value is, without what it says."""
    kinds = {Mapping: "a mapping", str: "a text", list: "a list", tuple: "a list", bool: "a boolean"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "a number")


def _resources(resources: Any) -> bool:
    return (
        _mapping(resources)
        and not set(resources) - set(RESOURCES)
        and all(_mapping(part) and all(map(_quantity, part.values())) for part in resources.values())
    )


def _quantity(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, str | int | float) and bool(QUANTITY.fullmatch(str(value)))


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)
