"""Which kinds a cluster serves, and which of its servers do not answer: the API's aggregated discovery. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What discovery answers in two requests instead of one for each group and version (kubernetes: KEP-3352).
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# Lists without what the objects say: all that is needed to tell whose they are, and no Secret's values.
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, order=True)
class Resource:
    """A kind that lives in namespaces and whose objects can be listed and deleted. plural: its name in paths."""

    api_version: str
    kind: str
    plural: str


@dataclass(frozen=True)
class Served:
    """What the cluster serves. stale: groups with their version whose server does not answer."""

    resources: tuple[Resource, ...]
    stale: tuple[str, ...]

    @property
    def kinds(self) -> frozenset[tuple[str, str]]:
        """Group and kind of all of them."""
        return frozenset((one.api_version.rpartition("/")[0], one.kind) for one in self.resources)


def parse(groups: Sequence[Mapping[str, Any]]) -> Served:
    """What the lists of groups say. Of a kind in several versions the first counts, which the API prefers."""
    found: dict[tuple[str, str], Resource] = {}
    stale: list[str] = []
    for group in groups:
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or []:
            api_version = f"{name}/{version['version']}" if name else str(version["version"])
            if version.get("freshness") == "Stale":
                stale.append(api_version)
            for one in version.get("resources") or []:
                usable = one.get("scope") == "Namespaced" and {"list", "delete"} <= set(one.get("verbs") or [])
                kind = (one.get("responseKind") or {}).get("kind")
                if usable and kind:
                    found.setdefault((name, one["resource"]), Resource(api_version, kind, one["resource"]))
    return Served(tuple(sorted(found.values())), tuple(stale))
