"""The cluster that stands already, as far as the hosts' probes show it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.host.kubeadm import RESET
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings

# Tags and versions as they are written: v1.37.2, 1.15.0, etcd's 3.7.3-0.
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)(?:[-+].*)?")


@dataclass(frozen=True)
class Standing:
    """The cluster of the inventory's control plane, if there is one, and the hosts of it.

    name: of the cluster, as the control plane's record has it; the inventory's where none stands. control_plane: the
    host whose init came to its end. members: hosts that are nodes of a cluster of this name, each with a record that
    can be read. configuration: the ClusterConfiguration that kubeadm keeps in the cluster, else the one that it was
    asked for; empty when neither can be read. api: what the API server says; None when it does not answer.
    """

    name: str
    control_plane: Host | None = None
    members: tuple[Host, ...] = ()
    configuration: Mapping[str, Any] | None = None
    api: Mapping[str, Any] | None = None

    @property
    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """Nodes in the API; none when it does not answer."""
        return self.api["nodes"] if self.api else ()


def record(host: Host) -> Mapping[str, Any] | None:
    """What our kubeadm run made of the host (``own.node`` of module host_probe); None without a readable record."""
    node: Mapping[str, Any] | None = host.probe["own"]["node"]
    return node if node and not node["error"] else None


def finished(host: Host, phase: str) -> bool:
    """Whether kubeadm's ``init`` or ``join`` came to its end on the host."""
    node = record(host)
    return node is not None and node["finished"] and node["phase"] == phase


def node_name(host: Host) -> str:
    """The name of the host's Node: the kubelet's, else the inventory's."""
    node = record(host)
    return str(node["node_name"] if node and node["node_name"] else host.name)


def standing(hosts: Sequence[Host], settings: Settings) -> Standing:
    """What stands, out of the probes of all hosts. Hosts that belong to a cluster of another name are left out."""
    control_planes = [host for host in hosts if host.name in settings.control_plane and finished(host, "init")]
    control_plane = control_planes[0] if control_planes else None
    name = (control_plane.probe["own"]["cluster"] if control_plane else "") or settings.cluster
    known = record(control_plane) if control_plane else None
    api = known["cluster"] if known else None
    in_api = {node["name"] for node in api["nodes"]} if api else set()

    def is_member(host: Host) -> bool:
        # A join that was cut off after the node had joined has no finished record, and is a node all the same.
        joined = finished(host, "init") or finished(host, "join") or (record(host) and node_name(host) in in_api)
        return bool(joined) and host.probe["own"]["cluster"] in ("", name)

    return Standing(
        name=name,
        control_plane=control_plane,
        members=tuple(host for host in hosts if is_member(host)),
        configuration=_configuration(known) if known else None,
        api=api,
    )


def _configuration(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """kubeadm's ClusterConfiguration."""
    for text in (known["cluster"]["kubeadm_config"] if known["cluster"] else "", known["asked"]):
        for document in documents(text):
            if document.get("kind") == "ClusterConfiguration":
                return document
    return {}


def documents(text: str) -> list[Mapping[str, Any]]:
    """The mappings of a YAML text; none when it is no YAML."""
    try:
        return [item for item in yaml.safe_load_all(text) if isinstance(item, dict)]
    except yaml.YAMLError:
        return []


def nested(document: Mapping[str, Any] | None, *keys: str) -> Any:
    """A value below mappings; None when one of them is not there."""
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def version_of(text: Any) -> str:
    """Three numbers out of a version or a tag; empty when it has another form."""
    match = _VERSION.fullmatch(str(text or ""))
    return match[1] if match else ""


def image_version(image: Any) -> str:
    """The version that an image's tag is; empty when it has no such tag."""
    tag = str(image or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    return version_of(tag)


def manifest_version(text: str) -> str:
    """The version of a static pod's image; empty when its manifest (YAML text) has none."""
    for document in documents(text):
        for container in nested(document, "spec", "containers") or ():
            return image_version(nested(container, "image"))
    return ""


def reset(what: Standing, *hosts: str) -> str:
    """The command that resets these hosts, or all of them."""
    return RESET.replace("CLUSTER", what.name) + (f" --limit {','.join(hosts)}" if hosts else "")
