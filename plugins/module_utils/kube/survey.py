"""Reading what decides about namespaces: everything that is in them, and the API's own servers that do not answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.contents import PASSING
from ansible_collections.twinstack.core.plugins.module_utils.kube.discovery import Resource
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Object

AT_ONCE = 8  # requests in flight
API_SERVICES = ("apiregistration.k8s.io/v1", "APIService")


@dataclass(frozen=True)
class DeadService:
    """An APIService that is not available. name: such as v1beta1.metrics.k8s.io; why: the API server's words."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"APIService {self.name} is not available: {self.why}"

    @property
    def hint(self) -> str:
        """What to do about it."""
        return f"kubectl describe apiservice {self.name}; start its server, or kubectl delete apiservice {self.name}"


def inside(cluster: Client, resources: Iterable[Resource], names: Sequence[str]) -> dict[str, list[Object]]:
    """Metadata of all objects in namespaces, by namespace. Events and leases are left out: nobody misses them."""
    wanted = [(one, name) for one in resources if one.kind not in PASSING for name in names]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        lists = list(pool.map(lambda pair: cluster.inside(*pair), wanted))
    found: dict[str, list[Object]] = {name: [] for name in names}
    for (_, name), items in zip(wanted, lists, strict=True):
        found[name] += items
    return found


def dead_services(cluster: Client) -> list[DeadService]:
    """Every APIService that is not available, with its reason."""
    found = []
    for item in cluster.list(*API_SERVICES):
        for one in item.get("status", {}).get("conditions") or []:
            if one["type"] == "Available" and one["status"] != "True":
                why = f"{one.get('reason', one['status'])}: {one.get('message', '')}".rstrip(": ")
                found.append(DeadService(item["metadata"]["name"], why))
    return found
