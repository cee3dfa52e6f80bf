"""What others have of Istio: objects of its kinds, control planes, pods with a proxy. Pure but for `Cluster`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.istio import revisions
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import (
    APPLIED,
    APPLY_SET_LABEL,
    Key,
    Object,
    key_of,
    plain,
)

GROUP = ".istio.io"  # what the groups of Istio's kinds end with
DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
CONFIRM = "istio_uninstall_confirm"
PROJECT = "twinstack"  # what the names of this project's field managers begin with


class Cluster(Protocol):
    """What this needs of `client.Client`."""

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind."""


@dataclass
class Foreign:
    """What others have of Istio.

    objects: of its kinds, which outlive this project's mesh; lost: those that go with a namespace of this project's.
    control_planes: Deployments; pods: owners of pods with a proxy. definitions: of the kinds of `objects`, as they are;
    all of them while there is a control plane of others.
    """

    objects: list[Key] = field(default_factory=list)
    lost: list[Key] = field(default_factory=list)
    control_planes: list[Key] = field(default_factory=list)
    pods: list[Key] = field(default_factory=list)
    definitions: list[Object] = field(default_factory=list)


def is_istios(definition: Mapping[str, Any]) -> bool:
    """Whether a CustomResourceDefinition is of one of Istio's kinds."""
    return str(definition["spec"]["group"]).endswith(GROUP)


def look(cluster: Cluster) -> Foreign:
    """Everything that others have."""
    spaces = {item["metadata"]["name"] for item in cluster.list("v1", "Namespace") if revisions.is_ours(item)}
    planes = cluster.list("apps/v1", "Deployment", "app=istiod")
    found = Foreign(control_planes=[key_of(item) for item in planes if not revisions.is_ours(item)])
    for definition in cluster.list(*DEFINITION):
        if not is_istios(definition):
            continue
        others = [key_of(item) for item in _items(cluster, definition) if not _applied(item)]
        found.lost += [key for key in others if key.namespace in spaces]
        stay = [key for key in others if key.namespace not in spaces]
        found.objects += stay
        if revisions.is_ours(definition) and (stay or found.control_planes):
            found.definitions.append(definition)
    meshed = {
        revisions.owner_of(pod)
        for pod in cluster.list("v1", "Pod")
        if revisions.revision_of(pod) and not revisions.going(pod) and pod["metadata"]["namespace"] not in spaces
    }
    found.pods = sorted(meshed)
    found.objects.sort()
    found.lost.sort()
    return found


def _items(cluster: Cluster, definition: Object) -> list[Object]:
    """All objects of a kind, by the version in which they are stored."""
    spec = definition["spec"]
    version = next((one["name"] for one in spec["versions"] if one.get("storage")), spec["versions"][0]["name"])
    return cluster.list(f"{spec['group']}/{version}", spec["names"]["kind"])


def _applied(item: Object) -> bool:
    """Whether this project applied an object. A label alone says nothing: a copy has it too."""
    entries = item["metadata"].get("managedFields") or []
    return APPLY_SET_LABEL in (item["metadata"].get("labels") or {}) and any(
        one.get("operation") == "Apply" and str(one.get("manager")).startswith(PROJECT) for one in entries
    )


def wanted(definitions: Iterable[Object]) -> list[Object]:
    """Definitions as they are to stay in their apply set: without what the server and an apply write."""
    found = []
    for item in definitions:
        copy = plain(item)
        if copy is None:
            continue
        metadata = copy["metadata"]
        for part, name in (("annotations", APPLIED), ("labels", APPLY_SET_LABEL)):
            metadata[part] = {key: value for key, value in (metadata.get(part) or {}).items() if key != name}
        found.append(copy)
    return found


def refusals(confirm: str, configured: str, running: str, check: bool) -> list[Finding]:
    """Why a mesh must not be uninstalled by what was typed.

    confirm: what was typed; configured: the inventory's name of the cluster; running: the cluster's own, empty = it has
    none; check: nothing will be changed, so that nothing need be typed.
    """
    found = []
    if not check and confirm != configured:
        expected = "the name of the cluster, because its tenants and its mesh will be lost"
        hint = f"-e {CONFIRM}={configured}, or --check to see what would go"
        found.append(Finding("command line", CONFIRM, confirm or "nothing", expected, hint))
    if running != configured:
        place, field_name = "ConfigMap kube-system/kubeadm-config", "clusterName"
        expected = f"{configured}, the inventory's twinstack_cluster_name"
        hint = "the inventory of this cluster; kubectl -n kube-system get configmap kubeadm-config -o yaml"
        found.append(Finding(place, field_name, running or "nothing", expected, hint))
    return found
