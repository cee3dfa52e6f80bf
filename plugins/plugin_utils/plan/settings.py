"""Which settings of a living cluster differ from what the inventory asks for. Pure.

Each field that our documents set is compared with what is there: the cluster's ConfigMaps, the control plane's
manifests and certificate, each node's kubelet and the kube-proxy that runs on it. A field that an earlier release set
and that we do not set any more, or that people added, is neither compared nor changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.host.subset import differences, same
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import kubeadm
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster
from cryptography import x509

CLUSTER = "cluster"
CERTIFICATE = "kube-apiserver certificate"
CONFIGURATION = "kubeadm-config"
# A component of the control plane by its field in ClusterConfiguration.
COMPONENTS = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
KUBELET, KUBE_PROXY = "kubelet", "kube-proxy"
RECORD = "kubeadm.yaml"  # what the control plane was asked for, /etc/twinstack/kubeadm.yaml

# The fact `preflight_node`: what module host_probe found of a node, and what runs there. Empty on a host that is none.
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One field that differs.

    scope: ``cluster`` or a host's name. field: dotted. old, new: as people write them, empty for nothing.
    restarts: what restarts on the host so that the new value holds; empty when nothing does.
    """

    scope: str
    component: str
    field: str
    old: str
    new: str
    restarts: str = ""

    def line(self) -> str:
        """The change as one line of text."""
        text = f"{self.scope}: {self.component}: {self.field}: {self.old or 'nothing'} -> {self.new}"
        return f"{text} (restarts {self.restarts})" if self.restarts else text

    def as_dict(self) -> dict[str, str]:
        """The change as plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Live:
    """A living cluster as its API says: the documents of three ConfigMaps, each empty when it is not there."""

    configuration: Mapping[str, Any]
    kubelet: Mapping[str, Any]
    kube_proxy: Mapping[str, Any]


def is_node(node: Node) -> bool:
    """Whether kubeadm came to its end on the host, so that there is something to compare."""
    return bool(node.get("finished"))


def live(cluster: Cluster, nodes: Mapping[str, Node]) -> Live | None:
    """What the API said; None when it was not asked or did not answer. nodes: by the hosts' names.

    Raises ValueError naming a document that cannot be read.
    """
    node = nodes.get(cluster.control_plane[0].name, {})
    found = node.get("cluster") if is_node(node) else None
    if not found:
        return None
    where = "ConfigMap kube-system/"
    return Live(
        document(found["kubeadm_config"], where + "kubeadm-config"),
        document(found["kubelet_config"], where + "kubelet-config"),
        document(found["kube_proxy"], where + "kube-proxy"),
    )


def uncompared(cluster: Cluster, nodes: Mapping[str, Node]) -> str:
    """Why a cluster that stands could not be compared; empty when it was, or when there is none yet."""
    name = cluster.control_plane[0].name
    node = nodes.get(name, {})
    if not is_node(node) or node.get("cluster"):
        return ""
    error = node.get("cluster_error") or "no answer"
    return (
        f"{name}: cluster settings: found {error}; expected an API server to compare with. Nothing of them changes in "
        "this run. Try: kubectl get nodes, then site.yml again"
    )


def changes(cluster: Cluster, nodes: Mapping[str, Node]) -> list[Change]:
    """Every difference, those of the whole cluster first; none when nothing has to be done.

    nodes: by the hosts' names; a host that is no node yet has nothing to compare.
    """
    api = live(cluster, nodes)
    if api is None:
        return []
    control_plane = cluster.control_plane[0]
    kubelet, kube_proxy = kubeadm.kubelet_configuration(cluster), kubeadm.kube_proxy_configuration(cluster)
    found = _configuration(cluster, api.configuration)
    found += _fields(CLUSTER, KUBELET, kubelet, api.kubelet)
    found += _fields(CLUSTER, KUBE_PROXY, kube_proxy, api.kube_proxy)
    found += _control_plane(cluster, control_plane.name, nodes[control_plane.name], api.configuration)
    if not found:
        # Every change on the control plane writes it too; it alone is behind when a setting was put back by hand.
        found += _record(cluster, nodes[control_plane.name])
    for node in cluster.nodes:
        seen = nodes.get(node.name, {})
        if is_node(seen):
            found += _kubelet(node.name, seen, kubelet)
            found += _kube_proxy(node.name, seen, kube_proxy, api.kube_proxy)
    return found


def document(text: str, where: str) -> dict[str, Any]:
    """A YAML document; empty for an empty text. Raises ValueError naming it when it cannot be read."""
    try:
        found = yaml.safe_load(text or "{}")
    except yaml.YAMLError as error:
        raise ValueError(f"{where}: found no valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{where}: found {type(found).__name__}, expected a mapping")
    return found


def wanted_arguments(cluster: Cluster) -> dict[str, list[dict[str, str]]]:
    """The arguments that we set, by field of ClusterConfiguration."""
    wanted = _wanted_configuration(cluster)
    return {field: list(wanted.get(field, {}).get("extraArgs", [])) for field in COMPONENTS}


def merged_arguments(found: Sequence[Mapping[str, str]], wanted: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The arguments that are there, with the values that we want, and ours that are missing."""
    names = {item["name"] for item in wanted}
    return [dict(item) for item in found if item["name"] not in names] + [dict(item) for item in wanted]


def merged_names(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Names and addresses that are there, and ours that are missing; addresses by value."""
    return [*found, *missing_names(found, wanted)]


def missing_names(found: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Which names and addresses are not among those found: addresses by value, names without regard to case."""
    have = [name.lower() for name in found]
    return [name for name in wanted if not any(same(name.lower(), one) for one in have)]


def certificate_names(pem: str) -> list[str]:
    """DNS names and addresses of a certificate. Raises ValueError when the text is none."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def shown(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(shown, value)) if isinstance(value, list) else str(value)


def _wanted_configuration(cluster: Cluster) -> dict[str, Any]:
    return next(
        item
        for item in kubeadm.kubeadm_init(cluster, cluster.control_plane[0])
        if item["kind"] == "ClusterConfiguration"
    )


def _fields(
    scope: str, component: str, wanted: Mapping[str, Any], found: Mapping[str, Any], restarts: str = ""
) -> list[Change]:
    """Differences of a document; none of one that is not there, which nobody but its owner can create."""
    if not found:
        return []
    return [
        Change(scope, component, field, shown(old), shown(new), restarts)
        for field, old, new in differences(wanted, found)
    ]


def _configuration(cluster: Cluster, found: Mapping[str, Any]) -> list[Change]:
    """What kubeadm will go by when it next writes a manifest or a certificate."""
    if not found:
        return []
    result = []
    names = (found.get("apiServer") or {}).get("certSANs") or []
    for name in missing_names(names, kubeadm.certificate_names(cluster)):
        result.append(Change(CLUSTER, CONFIGURATION, "apiServer.certSANs", "", name))
    for field, wanted in wanted_arguments(cluster).items():
        have = {item["name"]: item["value"] for item in (found.get(field) or {}).get("extraArgs") or []}
        for item in wanted:
            if not same(have.get(item["name"]), item["value"]):
                where = f"{field}.extraArgs.{item['name']}"
                result.append(Change(CLUSTER, CONFIGURATION, where, have.get(item["name"], ""), item["value"]))
    return result


def _control_plane(cluster: Cluster, name: str, node: Node, configuration: Mapping[str, Any]) -> list[Change]:
    """The manifests of the control plane, and the API server's certificate."""
    result: list[Change] = []
    if not configuration:
        return result
    if node.get("api_certificate"):
        have = certificate_names(node["api_certificate"])
        for missing in missing_names(have, kubeadm.certificate_names(cluster)):
            result.append(Change(name, CERTIFICATE, "subjectAltName", "", missing))
    for field, wanted in wanted_arguments(cluster).items():
        component = COMPONENTS[field]
        text = (node.get("manifests") or {}).get(component, "")
        if text and wanted:
            arguments = manifest_arguments(document(text, f"{name}: manifest {component}"))
            for item in wanted:
                old = arguments.get(item["name"])
                if not same(old, item["value"]):
                    result.append(Change(name, component, item["name"], old or "", item["value"], component))
    return result


def manifest_arguments(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Arguments of a static pod's one container by name."""
    containers = (manifest.get("spec") or {}).get("containers") or [{}]
    words = [*(containers[0].get("command") or []), *(containers[0].get("args") or [])]
    pairs = [word[2:].partition("=") for word in words if word.startswith("--")]
    return {name: value for name, _, value in pairs}


def _record(cluster: Cluster, node: Node) -> list[Change]:
    try:
        asked = {item["kind"]: item for item in yaml.safe_load_all(node.get("asked") or "") if item}
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"{RECORD}: found no documents of kubeadm ({' '.join(str(error).split())})") from error
    _init, *documents = kubeadm.kubeadm_init(cluster, cluster.control_plane[0])
    return [change for item in documents for change in _fields(CLUSTER, RECORD, item, asked.get(item["kind"], {}))]


def _kubelet(name: str, node: Node, wanted: Mapping[str, Any]) -> list[Change]:
    found = document(node.get("kubelet_config", ""), f"{name}: kubelet's configuration")
    result = _fields(name, KUBELET, wanted, found, KUBELET)
    if not result and (node.get("running") or {}).get("kubelet_behind"):
        # Written by a run that was cut off before it restarted kubelet.
        result.append(Change(name, KUBELET, "configuration", "older than its file", "its file", KUBELET))
    return result


def _kube_proxy(name: str, node: Node, wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[Change]:
    """What runs is compared, not what is stored: kube-proxy reads its ConfigMap only when it starts."""
    if not stored:
        return []
    running = node.get("running") or {}
    found = running.get("kube_proxy") or stored
    result = _fields(name, KUBE_PROXY, wanted, found, KUBE_PROXY)
    if not result and wanted["mode"] != "ipvs" and running.get("ipvs"):
        result.append(Change(name, KUBE_PROXY, "IPVS", "left behind", "none"))
    return result
