"""What has to be done so that a living cluster has the settings that the inventory asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import TITLES
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import kubeadm
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import settings
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.settings import Change, Live, Node

# Where kubeadm makes the new certificate, beside the one in use, which stays until the new one is complete.
CERTIFICATE_FOLDER = "/etc/kubernetes/pki/.twinstack"
API_PORT, DNS_PORT = 443, 53

# Steps of module kubeadm_reconcile in the order in which they are taken: what is stored first, because a step that is
# cut off then starts from the new settings when it is taken again; kube-proxy's restart comes node by node afterwards.
UPLOADS = {
    settings.CONFIGURATION: "upload_kubeadm",
    settings.KUBELET: "upload_kubelet",
    settings.KUBE_PROXY: "upload_kube_proxy",
    settings.RECORD: "record",
}
CONTROL_PLANE = {
    settings.CERTIFICATE: "certificate",
    "kube-apiserver": "kube-apiserver",
    "kube-scheduler": "kube-scheduler",
    "kube-controller-manager": "kube-controller-manager",
}
NODE = (settings.KUBELET, settings.KUBE_PROXY, "ipvs")


@dataclass(frozen=True)
class Reconciliation:
    """What to do, and with which documents.

    control_plane: steps on the control plane. nodes: by host, what is done there: ``kubelet``, ``kube-proxy``
    (restarted), ``ipvs`` (only what it left is removed); hosts without anything are not in it.
    documents: for kubeadm, the cluster's own with our fields set; certificate_documents: the same, with another folder
    for certificates. arguments: which a component's process must have, by component.
    uncompared: why nothing could be compared; empty otherwise.
    """

    changes: tuple[Change, ...] = ()
    control_plane: tuple[str, ...] = ()
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    documents: tuple[Mapping[str, Any], ...] = ()
    certificate_documents: tuple[Mapping[str, Any], ...] = ()
    arguments: Mapping[str, list[str]] = field(default_factory=dict)
    uncompared: str = ""


def reconciliation(cluster: Cluster, nodes: Mapping[str, Node]) -> Reconciliation:
    """What to do. nodes: `preflight_node` by the hosts' names. Raises ValueError naming a document that is no YAML."""
    found = settings.changes(cluster, nodes)
    api = settings.live(cluster, nodes)
    if api is None or not found:
        return Reconciliation(uncompared=settings.uncompared(cluster, nodes))
    documents = _documents(cluster, api)
    return Reconciliation(
        changes=tuple(found),
        control_plane=_control_plane_steps(found),
        nodes={node.name: steps for node in cluster.nodes if (steps := _node_steps(node.name, found))},
        documents=tuple(documents),
        certificate_documents=tuple(
            {**item, "certificatesDir": CERTIFICATE_FOLDER} if item["kind"] == "ClusterConfiguration" else item
            for item in documents
        ),
        arguments=_arguments(documents),
    )


def endpoints(cluster: Cluster) -> list[dict[str, Any]]:
    """What every node must reach in both families whenever the next one is touched: the API and cluster DNS.

    Service `kubernetes` has an address of the primary family only; the API server itself listens in both.
    """
    found: list[dict[str, Any]] = [
        {
            "name": f"API server on {node.name}",
            "family": TITLES[family],
            "address": node.address(family),
            "port": cluster.api_port,
        }
        for node in cluster.control_plane
        for family in cluster.families
    ]
    first = cluster.primary_family
    service = {"name": "Service kubernetes", "family": TITLES[first], "address": cluster.api_service_address(first)}
    found.append({**service, "port": API_PORT})
    for family in cluster.families:
        address = cluster.dns_address(family)
        found.append({"name": "cluster DNS", "family": TITLES[family], "address": address, "port": DNS_PORT})
    return found


def _control_plane_steps(found: Iterable[Change]) -> tuple[str, ...]:
    stored = {change.component for change in found if change.scope == settings.CLUSTER}
    on_hosts = {change.component for change in found if change.scope != settings.CLUSTER}
    uploads = [step for component, step in UPLOADS.items() if component in stored]
    return (*uploads, *(step for component, step in CONTROL_PLANE.items() if component in on_hosts))


def _node_steps(name: str, found: Iterable[Change]) -> tuple[str, ...]:
    own = [change for change in found if change.scope == name]
    steps = {change.restarts for change in own}
    steps |= {"ipvs" for change in own if change.component == settings.KUBE_PROXY and not change.restarts}
    return tuple(step for step in NODE if step in steps)


def _documents(cluster: Cluster, api: Live) -> list[dict[str, Any]]:
    """kubeadm's documents: what the cluster has, with our fields set.

    Of ClusterConfiguration only arguments and names are ours to change here. All else stays what runs, so that kubeadm
    can change neither versions nor networks.
    """
    init, configuration, kubelet, kube_proxy = kubeadm.kubeadm_init(cluster, cluster.control_plane[0])
    stored: dict[str, Any] = {**configuration, **api.configuration}
    server = {**(stored.get("apiServer") or {})}
    names = kubeadm.certificate_names(cluster)
    server["certSANs"] = settings.merged_names(server.get("certSANs") or [], names)
    stored["apiServer"] = server
    for component, wanted in settings.wanted_arguments(cluster).items():
        if wanted:
            have = stored.get(component) or {}
            merged = settings.merged_arguments(have.get("extraArgs") or [], wanted)
            stored[component] = {**have, "extraArgs": merged}
    return [init, stored, _overlaid(api.kubelet, kubelet), _overlaid(api.kube_proxy, kube_proxy)]


def _overlaid(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A document with our fields set."""
    result = dict(found)
    for key, value in wanted.items():
        have = result.get(key)
        result[key] = _overlaid(have if isinstance(have, Mapping) else {}, value) if isinstance(value, dict) else value
    return result


def _arguments(documents: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Words of each component's command line that come from ClusterConfiguration."""
    stored = next(item for item in documents if item["kind"] == "ClusterConfiguration")
    return {
        component: [f"--{item['name']}={item['value']}" for item in (stored.get(key) or {}).get("extraArgs") or []]
        for key, component in settings.COMPONENTS.items()
    }
