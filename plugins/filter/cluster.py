"""Filters over one cluster's settings: thin wrappers around plugin_utils/manifests."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.yaml.dumper import AnsibleDumper
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import calico, cluster_dns, kubeadm
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import cluster_settings as model
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import reconciliation


def _parsed(settings: Mapping[str, Any]) -> model.Cluster:
    """The settings as typed data; AnsibleFilterError with the field's name when one is missing."""
    try:
        return model.parse_cluster(settings)
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"cluster settings: {error}") from error


def _node(cluster: model.Cluster, name: str) -> model.Node:
    """The cluster's node of that name."""
    for node in cluster.nodes:
        if node.name == name:
            return node
    raise AnsibleFilterError(f"node: found {name!r}, expected one of {', '.join(node.name for node in cluster.nodes)}")


def _yaml(documents: Sequence[Mapping[str, Any]]) -> str:
    """Documents as YAML text."""
    return str(yaml.dump_all(documents, Dumper=AnsibleDumper, explicit_start=True, sort_keys=False))


def nodes(names: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Name and address of both families of inventory hosts, in the canonical spelling."""
    return [
        {"name": name, **{family: canonical(hostvars[name].get(family, "")) for family in FAMILY_KEYS}}
        for name in names
    ]


def canonical(address: Any) -> str:
    """An address in its canonical spelling; what is none stays as it is, for the inventory's rules to refuse."""
    try:
        return str(ipaddress.ip_address(str(address)))
    except ValueError:
        return str(address)


def hosts_block(settings: Mapping[str, Any]) -> str:
    """Lines for /etc/hosts."""
    return model.hosts_block(_parsed(settings))


def kubeadm_init(settings: Mapping[str, Any], node: str, ignore: Sequence[str] = ()) -> str:
    """kubeadm's configuration for the first control plane."""
    cluster = _parsed(settings)
    return _yaml(kubeadm.kubeadm_init(cluster, _node(cluster, node), list(ignore)))


def kubeadm_join(settings: Mapping[str, Any], node: str, ca_hashes: Sequence[str], ignore: Sequence[str] = ()) -> str:
    """kubeadm's configuration for a worker; the module puts the token in."""
    cluster = _parsed(settings)
    return _yaml(kubeadm.kubeadm_join(cluster, _node(cluster, node), "@TOKEN@", list(ca_hashes), list(ignore)))


def kubeadm_reconciliation(settings: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What differs between a living cluster and its settings, and what to do; see kubeadm_reconciliation.yml."""
    cluster = _parsed(settings)
    nodes = {node.name: hostvars[node.name].get("preflight_node") or {} for node in cluster.nodes}
    try:
        found = reconciliation.reconciliation(cluster, nodes)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    kube_proxy = kubeadm.kube_proxy_configuration(cluster)
    return {
        "changes": [change.as_dict() for change in found.changes],
        "reasons": [change.line() for change in found.changes],
        "control_plane": list(found.control_plane),
        "nodes": {name: list(steps) for name, steps in found.nodes.items()},
        "documents": _yaml(found.documents),
        "certificate_documents": _yaml(found.certificate_documents),
        "arguments": dict(found.arguments),
        "kube_proxy": kube_proxy,
        "endpoints": reconciliation.endpoints(cluster),
        "uncompared": found.uncompared,
    }


def calico_objects(manifest: str, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Upstream's Calico manifest (text) as patched objects, our pools included."""
    cluster = _parsed(settings)
    documents = [item for item in yaml.safe_load_all(manifest) if item]
    try:
        return calico.calico_objects(documents, cluster) + calico.calico_pools(cluster)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def dns_service(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The dual-stack kube-dns Service."""
    return cluster_dns.dns_service(_parsed(settings))


def bundle_image(folder: str, repository: str) -> str:
    """Name with tag of the bundle's one image of that repository.

    folder: where bundle.json is (`twinstack_artifacts_dir`).
    """
    try:
        artifacts = bundle_index.read(Path(folder).expanduser())
    except bundle_index.BundleIndexError as error:
        raise AnsibleFilterError(str(error)) from error
    images = {image["name"] for item in artifacts.values() if item["kind"] == "image_set" for image in item["images"]}
    found = sorted(name for name in images if name.rsplit(":", 1)[0] == repository)
    if len(found) != 1:
        raise AnsibleFilterError(f"bundle.json: found {len(found)} images of {repository}, expected one")
    return found[0]


def bundle_file(folder: str, name: str) -> str:
    """Path on the controller of an artifact of the bundle."""
    try:
        artifacts = bundle_index.read(Path(folder).expanduser())
    except bundle_index.BundleIndexError as error:
        raise AnsibleFilterError(str(error)) from error
    if name not in artifacts:
        raise AnsibleFilterError(
            f"bundle.json: found no artifact {name}, expected one of {', '.join(sorted(artifacts))}"
        )
    return str(artifacts[name]["path"])


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "canonical": canonical,
            "bundle_file": bundle_file,
            "bundle_image": bundle_image,
            "nodes": nodes,
            "hosts_block": hosts_block,
            "kubeadm_init": kubeadm_init,
            "kubeadm_join": kubeadm_join,
            "kubeadm_reconciliation": kubeadm_reconciliation,
            "calico_objects": calico_objects,
            "dns_service": dns_service,
        }
