"""Calico's objects: upstream's manifest turned dual-stack, and the pools of addresses. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster

CALICO_VXLAN_MODE = {"VXLANCrossSubnet": "CrossSubnet", "VXLAN": "Always", "None": "Never"}
CALICO_BLOCK_SIZE = {"ipv4": 26, "ipv6": 122}  # Calico's own defaults: 64 addresses per block in both families
FELIX_HEALTH = {"host": "127.0.0.1", "port": 9099}  # Felix' own default port
MTU_ANNOTATION = "twinstack.core/mtu"
FELIX_LOOKS_SECONDS = 90  # as often as it looks at routes by default
FELIX_READY_SECONDS = 2  # a request on the loopback; what waits for Calico waits no longer than it must
FELIX_PROBES = {"livenessProbe": "/liveness", "readinessProbe": "/readiness"}


def calico_pools(cluster: Cluster) -> list[dict[str, Any]]:
    """One IP pool per family, with NAT for traffic that leaves the cluster in both."""
    return [
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": f"default-{family}-ippool"},
            "spec": {
                "cidr": cluster.pod_cidr[family],
                "blockSize": CALICO_BLOCK_SIZE[family],
                "ipipMode": "Never",
                "vxlanMode": CALICO_VXLAN_MODE[cluster.encapsulation],
                "natOutgoing": True,
                "nodeSelector": "all()",
                "allowedUses": ["Workload", "Tunnel"],
            },
        }
        for family in cluster.families
    ]


def calico_node_environment(cluster: Cluster) -> dict[str, str | None]:
    """Environment of calico-node; None removes a variable of the upstream manifest.

    The pools are objects of their own, so calico-node must not make default ones of its own idea.
    """
    backend = {"ipvs": "Auto", "nftables": "NFT"}[cluster.proxy_mode]
    return {
        "NO_DEFAULT_POOLS": "true",
        "CALICO_IPV4POOL_IPIP": None,
        "CALICO_IPV4POOL_VXLAN": None,
        "CALICO_IPV6POOL_VXLAN": None,
        "CALICO_IPV4POOL_CIDR": None,
        "IP": "autodetect",
        "IP6": "autodetect",
        "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip",
        "IP6_AUTODETECTION_METHOD": "kubernetes-internal-ip",
        "FELIX_IPV6SUPPORT": "true",
        "FELIX_IPTABLESBACKEND": backend,
        "FELIX_PROMETHEUSMETRICSENABLED": "true",  # port 9091 of every host, Felix' default
        # By default Felix reads back what it wrote after 1, 2, 4, 8 ... s, and every set of addresses each 10 s, with a
        # program for each table and set: a tenth of a small host. Both is for hosts where others write without a lock.
        "FELIX_IPTABLESPOSTWRITECHECKINTERVALSECS": str(FELIX_LOOKS_SECONDS),
        "FELIX_IPSETSREFRESHINTERVAL": str(FELIX_LOOKS_SECONDS),
        "FELIX_HEALTHENABLED": "true",
        "FELIX_HEALTHHOST": str(FELIX_HEALTH["host"]),
        "FELIX_HEALTHPORT": str(FELIX_HEALTH["port"]),
    }


def calico_cni_config(template: str) -> str:
    """The CNI configuration of upstream's ConfigMap with address assignment in both families.

    template: upstream's text; it holds placeholders such as ``__CNI_MTU__``, one of them unquoted, so it is JSON
    only after those are filled in: edited as text at its one fixed point.
    Raises ValueError when upstream's text has no such point.
    """
    marker = '"type": "calico-ipam"'
    if template.count(marker) != 1:
        raise ValueError(f"cni_network_config: found {template.count(marker)} times {marker}, expected once")
    return template.replace(marker, marker + ', "assign_ipv4": "true", "assign_ipv6": "true"')


def calico_objects(objects: Sequence[Mapping[str, Any]], cluster: Cluster) -> list[dict[str, Any]]:
    """Upstream's Calico objects turned into ours: both families, our pools' rules, our MTU.

    objects: the documents of upstream's manifest. Raises ValueError when a part that must be changed is not there,
    because a silently unpatched Calico is single-stack.
    """
    result = []
    patched: set[str] = set()
    for item in objects:
        kind, name = item["kind"], item["metadata"]["name"]
        if (kind, name) == ("ConfigMap", "calico-config"):
            data = dict(item["data"])
            data["cni_network_config"] = calico_cni_config(data["cni_network_config"])
            data["veth_mtu"] = str(cluster.mtu)
            result.append({**item, "data": data})
            patched.add("ConfigMap calico-config")
        elif (kind, name) == ("DaemonSet", "calico-node"):
            result.append(_rolled_for(cluster.mtu, _calico_node(item, calico_node_environment(cluster))))
            patched.add("DaemonSet calico-node")
        else:
            result.append(dict(item))
    missing = {"ConfigMap calico-config", "DaemonSet calico-node"} - patched
    if missing:
        raise ValueError(f"Calico's manifest: found no {' and no '.join(sorted(missing))}")
    return [calico_api_endpoint(cluster), *result]


def calico_api_endpoint(cluster: Cluster) -> dict[str, Any]:
    """Where Calico's host-network containers find the API, by the name of upstream's optional ConfigMap.

    Not by the Service: on a fresh node Calico starts beside kube-proxy, and a connection that was tried before
    kube-proxy knew the Service hangs for up to half a minute. An address, because upstream puts it into brackets.
    """
    address = cluster.control_plane[0].address(cluster.primary_family)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubernetes-services-endpoint", "namespace": "kube-system"},
        "data": {"KUBERNETES_SERVICE_HOST": address, "KUBERNETES_SERVICE_PORT": str(cluster.api_port)},
    }


def _rolled_for(mtu: int, workload: Mapping[str, Any]) -> dict[str, Any]:
    """calico-node whose pods are replaced, one node at a time, when the MTU in its ConfigMap is another.

    Without a value of our own there is no annotation, so that clusters that stand do not roll for one. The addresses of
    Calico's pools, and whether they are encapsulated, need none: Felix follows them while it runs.
    """
    if not mtu:
        return dict(workload)
    template = workload["spec"]["template"]
    metadata = template.get("metadata", {})
    annotations = {**metadata.get("annotations", {}), MTU_ANNOTATION: str(mtu)}
    template = {**template, "metadata": {**metadata, "annotations": annotations}}
    return {**workload, "spec": {**workload["spec"], "template": template}}


def _calico_node(workload: Mapping[str, Any], environment: Mapping[str, str | None]) -> dict[str, Any]:
    """Upstream's calico-node with these variables set (text) or removed (None), and probed over HTTP.

    Upstream's probes start a program of 100 MB in the container twice in ten seconds, which reads that same page: on a
    small host an eighth of its processor. Raises ValueError when a probe that must be changed is not there.
    """
    pod = workload["spec"]["template"]["spec"]
    containers = []
    for item in pod["containers"]:
        if item["name"] == "calico-node":
            kept = [entry for entry in item["env"] if entry["name"] not in environment]
            added = [{"name": key, "value": value} for key, value in environment.items() if value is not None]
            item = {**item, "env": kept + added}
            for name, path in FELIX_PROBES.items():
                if "exec" not in item.get(name, {}):
                    raise ValueError(f"DaemonSet calico-node: found no {name} that starts a program")
                rest = {key: value for key, value in item[name].items() if key != "exec"}
                if name == "readinessProbe":
                    rest["periodSeconds"] = FELIX_READY_SECONDS
                item[name] = {**rest, "httpGet": {**FELIX_HEALTH, "path": path, "scheme": "HTTP"}}
        containers.append(item)
    template = {**workload["spec"]["template"], "spec": {**pod, "containers": containers}}
    return {**workload, "spec": {**workload["spec"], "template": template}}
