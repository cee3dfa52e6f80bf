"""Documents of kubeadm: the first control plane, kubelet and kube-proxy, and a worker that joins. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.host.kubeadm import CRI_SOCKET
from ansible_collections.twinstack.core.plugins.module_utils.host.running import KUBE_PROXY_METRICS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster, Node

# Requests a second that the controllers may send, and how many at once. With their own 20 the removal of one
# small namespace, a list per kind of object, takes ten seconds; kubelet's own default for itself is 50.
CONTROLLER_PACE = [{"name": "kube-api-qps", "value": "100"}, {"name": "kube-api-burst", "value": "200"}]


def endpoint(host: str, port: int) -> str:
    """host:port with IPv6 literals in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def certificate_names(cluster: Cluster) -> list[str]:
    """Every name and address under which the API server may be called, in both families."""
    names = [cluster.api_name, "localhost", "127.0.0.1", "::1"]
    for node in cluster.control_plane:
        names += [node.name, *(node.address(family) for family in cluster.families)]
    names += [cluster.api_service_address(family) for family in cluster.families]
    return names


def node_registration(cluster: Cluster, node: Node, ignore: Sequence[str]) -> dict[str, Any]:
    """How a node's kubelet registers: with its addresses of both families."""
    registration: dict[str, Any] = {
        "name": node.name,
        "criSocket": CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": [
            {"name": "node-ip", "value": ",".join(node.address(family) for family in cluster.families)}
        ],
    }
    if ignore:
        registration["ignorePreflightErrors"] = sorted(ignore)
    return registration


def kubeadm_init(
    cluster: Cluster, node: Node, ignore: Sequence[str] = (), token_ttl: str = "15m", dns_replicas: int = 2
) -> list[dict[str, Any]]:
    """The kubeadm documents that create the cluster on its first control plane."""
    versions = cluster.versions
    version = f"v{versions['kubernetes']}"
    init = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"ttl": token_ttl, "description": "made by kubeadm init, for nobody"}],
        "localAPIEndpoint": {
            "advertiseAddress": node.address(cluster.primary_family),
            "bindPort": cluster.api_port,
        },
        "nodeRegistration": node_registration(cluster, node, ignore),
    }
    configuration = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": cluster.name,
        "kubernetesVersion": version,
        "controlPlaneEndpoint": endpoint(cluster.api_name, cluster.api_port),
        "networking": {
            "dnsDomain": cluster.domain,
            "podSubnet": ",".join(cluster.pod_cidr[family] for family in cluster.families),
            "serviceSubnet": ",".join(cluster.service_cidr[family] for family in cluster.families),
        },
        "apiServer": {"certSANs": certificate_names(cluster)},
        "controllerManager": {
            "extraArgs": [
                {"name": f"node-cidr-mask-size-{family}", "value": str(cluster.node_mask[family])}
                for family in FAMILY_KEYS
            ]
            + CONTROLLER_PACE
        },
        "dns": {"imageTag": f"v{versions['coredns']}"},
        "etcd": {"local": {"imageTag": f"{versions['etcd']}-0"}},
    }
    return [init, configuration, kubelet_configuration(cluster), kube_proxy_configuration(cluster)]


def kubelet_configuration(cluster: Cluster) -> dict[str, Any]:
    """What all kubelets share."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "clusterDNS": [cluster.dns_address(family) for family in cluster.families],
        "clusterDomain": cluster.domain,
        "rotateCertificates": True,
        "serializeImagePulls": False,
    }


def kube_proxy_configuration(cluster: Cluster) -> dict[str, Any]:
    """kube-proxy for both families in the chosen mode."""
    proxy: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": cluster.proxy_mode,
        "clusterCIDR": ",".join(cluster.pod_cidr[family] for family in cluster.families),
        "metricsBindAddress": KUBE_PROXY_METRICS,
    }
    if cluster.proxy_mode == "ipvs":
        # Without strict ARP every node answers for every service address on its own link.
        proxy["ipvs"] = {"strictARP": True, "minSyncPeriod": f"{cluster.ipvs_min_sync_period}s"}
    return proxy


def kubeadm_join(
    cluster: Cluster, node: Node, token: str, ca_hashes: Sequence[str], ignore: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The kubeadm document that joins a worker, the cluster's CA pinned by hash."""
    return [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "apiServerEndpoint": endpoint(cluster.api_name, cluster.api_port),
                    "token": token,
                    "caCertHashes": list(ca_hashes),
                }
            },
            "nodeRegistration": node_registration(cluster, node, ignore),
        }
    ]
