"""Whether a cluster is unchanged since its last verification, as digests, and the endpoints to check then. Pure.

A verification takes most of a run that changes nothing. While everything that it was about is the same to the letter, a
connectivity check from the hosts themselves shows a break, and only then, or after any change, all of it is verified
again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import family_of
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import LABEL

Json = Mapping[str, Any]


def state(raw: Json) -> dict[str, str]:
    """Digests of everything that a verification was about, by name.

    raw: lists ``nodes``, ``pods``, ``services``, ``pools``, ``policies`` and ``namespaces`` as the API shows them. What
    only shows the time (heartbeats, leases, events) is not in it; a node that was away, a boot, a restarted container
    and an address are.
    """
    own = own_namespaces(raw)
    digested: tuple[tuple[str, Callable[[Json], Any]], ...] = (
        ("nodes", _node),
        ("pods", _pod),
        ("services", _service),
        ("pools", lambda item: item["spec"]),
        ("policies", lambda item: [item["metadata"]["uid"], item["metadata"].get("generation", 0)]),
    )
    return {
        f"{kind} {_space(item)}/{item['metadata']['name']}": _digest(fields(item))
        for kind, fields in digested
        for item in raw[kind]
        if _space(item) not in own
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def own_namespaces(raw: Json) -> set[str]:
    """Namespaces of verifications, which come and go."""
    return {item["metadata"]["name"] for item in raw["namespaces"] if LABEL in (item["metadata"].get("labels") or {})}


def _space(item: Json) -> str:
    return str(item["metadata"].get("namespace", ""))


def _node(item: Json) -> list[Any]:
    ready = [one for one in item["status"].get("conditions", []) if one["type"] == "Ready"]
    return [
        item["metadata"]["uid"],
        item["status"]["nodeInfo"]["bootID"],
        item["status"].get("addresses", []),
        item["spec"].get("podCIDRs", []),
        item["spec"].get("unschedulable", False),
        [[one["status"], one.get("lastTransitionTime", "")] for one in ready],
    ]


def _pod(item: Json) -> list[Any]:
    containers = [
        [one["name"], one.get("restartCount", 0), one.get("ready", False)]
        for key in ("initContainerStatuses", "containerStatuses")
        for one in item["status"].get(key, [])
    ]
    return [item["metadata"]["uid"], item["status"].get("phase"), pod_addresses(item), sorted(containers)]


def _service(item: Json) -> list[Any]:
    return [item["metadata"]["uid"], item["spec"]]


def pod_addresses(item: Json) -> list[str]:
    """Addresses of a pod, in the API's order."""
    return [one["ip"] for one in item["status"].get("podIPs", [])]


# --- endpoints --------------------------------------------------------------------------------------------------------


def endpoints(raw: Json) -> list[dict[str, Any]]:
    """What every host can reach in a sound cluster, in each family: mappings of name, family, address and port.

    Port 0 is an echo request. Pods and Services in a namespace with network policies are left out, because hosts may
    well be shut out there, but their node ports are not: those are what outside is to reach.
    """
    guarded = _guarded(raw)
    return [
        *(
            _endpoint(f"pod {_space(item)}/{item['metadata']['name']}", address, 0)
            for item in _open_pods(raw)
            for address in pod_addresses(item)
        ),
        *_to_services((item for item in raw["services"] if _space(item) not in guarded), raw["slices"]),
        *_to_node_ports(raw["services"], raw["nodes"], raw["slices"]),
    ]


def uncovered(raw: Json) -> list[str]:
    """Nodes without an endpoint: without a pod there, nothing shows that pods on it are cut off."""
    reached = {item["spec"].get("nodeName") for item in _open_pods(raw)}
    return sorted(item["metadata"]["name"] for item in raw["nodes"] if item["metadata"]["name"] not in reached)


def _guarded(raw: Json) -> set[str]:
    """Namespaces in which a host may well be shut out, or that come and go."""
    return {_space(item) for item in raw["policies"]} | own_namespaces(raw)


def _open_pods(raw: Json) -> list[Json]:
    """Running pods of the pod network that every host may reach."""
    guarded = _guarded(raw)
    return [
        item
        for item in raw["pods"]
        if _space(item) not in guarded
        and not item["spec"].get("hostNetwork")
        and item["status"].get("phase") == "Running"
    ]


def _endpoint(name: str, address: str, port: int) -> dict[str, Any]:
    return {"name": name, "family": family_of(address), "address": address, "port": port}


def _served(service: Json, slices: Iterable[Json]) -> set[tuple[str, str]]:
    """(family, port name) of a Service that has ready endpoints."""
    found = set()
    for piece in slices:
        labels = piece["metadata"].get("labels") or {}
        if _space(piece) != _space(service):
            continue
        if labels.get("kubernetes.io/service-name") != service["metadata"]["name"]:
            continue
        if any((one.get("conditions") or {}).get("ready", True) for one in piece.get("endpoints") or []):
            found |= {(piece["addressType"], port.get("name", "")) for port in piece.get("ports") or []}
    return found


def _to_services(services: Iterable[Json], slices: list[Json]) -> Iterator[dict[str, Any]]:
    for item in services:
        served = _served(item, slices)
        for address in item["spec"].get("clusterIPs", []):
            if address == "None":
                continue
            for port in item["spec"].get("ports", []):
                found = _endpoint(f"Service {_space(item)}/{item['metadata']['name']}", address, port["port"])
                if port.get("protocol", "TCP") == "TCP" and (found["family"], port.get("name", "")) in served:
                    yield found


def _to_node_ports(services: Iterable[Json], nodes: Iterable[Json], slices: list[Json]) -> Iterator[dict[str, Any]]:
    inside = [one for node in nodes for one in node["status"].get("addresses", []) if one["type"] == "InternalIP"]
    for item in services:
        served = _served(item, slices)
        for port in item["spec"].get("ports", []):
            if not port.get("nodePort") or port.get("protocol", "TCP") != "TCP":
                continue
            for one in inside:
                name = f"node port of {_space(item)}/{item['metadata']['name']}"
                found = _endpoint(name, one["address"], port["nodePort"])
                if (found["family"], port.get("name", "")) in served:
                    yield found


# --- the verdict ------------------------------------------------------------------------------------------------------


def never_verified(report: Json, scenarios: Iterable[str] = ()) -> str:
    """Why there is no verification to compare with; empty when there is one.

    report: the last verification's, empty = none; scenarios: ids of those that belong to a verification.
    """
    if not report.get("ok"):
        return "there is no verification in which every probe passed"
    lacking = sorted(set(scenarios) - {result["id"] for result in report.get("scenarios", [])})
    return f"there is no verification of {', '.join(lacking)}" if lacking else ""


def changed_since(report: Json, run: Json, found: Mapping[str, str]) -> str:
    """What has changed since the last verification; empty when nothing has.

    report: the last verification's. run: the callback's record of the current run, empty = none.
    found: the state of the cluster as it is.
    """
    recorded = report.get("state")
    before = recorded if isinstance(recorded, Mapping) else {}
    other = sorted(name for name in {*before, *found} if before.get(name) != found.get(name))
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        return f"changed since the last verification: {other[0]}{more}"
    if not run or run.get("finished", True):
        return "there is no record of what this run has changed (callback run_report)"
    changed = [
        f"{task['name']} on {host}"
        for phase in run["phases"]
        for role in phase["roles"]
        for task in role["tasks"]
        for host, result in task["hosts"].items()
        if result["status"] not in ("ok", "skipped", "running")
    ]
    return f"this run changed something: {changed[0]}" if changed else ""
