"""The Service of cluster DNS in both families. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import TITLES
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster


def dns_service(cluster: Cluster) -> dict[str, Any]:
    """The kube-dns Service with a fixed address in both families; kubeadm makes it single-stack."""
    addresses = [cluster.dns_address(family) for family in cluster.families]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {
            "clusterIP": addresses[0],
            "clusterIPs": addresses,
            "ipFamilies": [TITLES[family] for family in cluster.families],
            "ipFamilyPolicy": "RequireDualStack",
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": "metrics"},
            ],
        },
    }
