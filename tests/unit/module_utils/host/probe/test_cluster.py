"""The cluster is read from its API over TLS in both directions, and no answer is a reason in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import cluster

from tests.unit.module_utils.host.probe.samples import Authority, api_server, kubeconfig

CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"


def workload(container: str, image: str) -> dict[str, Any]:
    """A DaemonSet or Deployment with an init container and a container beside the one that is looked for."""
    containers = [{"name": "other", "image": "other:v9"}, {"name": container, "image": image}]
    spec = {"initContainers": [{"name": "install", "image": "install:v8"}], "containers": containers}
    return {"spec": {"template": {"spec": spec}}}


ANSWERS: dict[str, Any] = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.2"},
    "/api/v1/nodes": {
        "kind": "NodeList",
        "items": [
            {
                "metadata": {"name": "cp1", "uid": "u-1"},
                "spec": {
                    "unschedulable": True,
                    "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
                },
                "status": {
                    "addresses": [
                        {"type": "InternalIP", "address": "192.0.2.1"},
                        {"type": "InternalIP", "address": "2001:db8::1"},
                        {"type": "Hostname", "address": "cp1"},
                    ],
                    "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}],
                    "nodeInfo": {"kubeletVersion": "v1.37.2", "containerRuntimeVersion": "containerd://2.4.2"},
                },
            },
            {"metadata": {"name": "worker1", "uid": "u-2"}, "spec": {}, "status": {}},
        ],
    },
    f"{CONFIG_MAPS}/kubeadm-config": {"data": {"ClusterConfiguration": "clusterName: demo\n"}},
    f"{CONFIG_MAPS}/kubelet-config": {"data": {"kubelet": "kind: KubeletConfiguration\n"}},
    f"{CONFIG_MAPS}/kube-proxy": {"data": {"config.conf": "mode: ipvs\n", "kubeconfig.conf": "x"}},
    cluster.WORKLOADS["kube-proxy"]: workload("kube-proxy", "registry.k8s.io/kube-proxy:v1.37.2"),
    cluster.WORKLOADS["coredns"]: workload("coredns", "registry.k8s.io/coredns/coredns:v1.15.0"),
}


def test_a_cluster_is_read(tmp_path: Path) -> None:
    """Calico is not there yet."""
    authority = Authority()
    with api_server(authority, tmp_path, ANSWERS) as port:
        found = cluster.read(kubeconfig(authority, port))
    control_plane, worker = found.pop("nodes")
    assert found == {
        "version": "1.37.2",
        "kubeadm_config": "clusterName: demo\n",
        "kubelet_config": "kind: KubeletConfiguration\n",
        "kube_proxy": "mode: ipvs\n",
        "images": {
            "kube-proxy": "registry.k8s.io/kube-proxy:v1.37.2",
            "coredns": "registry.k8s.io/coredns/coredns:v1.15.0",
        },
    }
    assert control_plane == {
        "name": "cp1",
        "uid": "u-1",
        "addresses": ["192.0.2.1", "2001:db8::1"],
        "unschedulable": True,
        "taints": [{"key": "node-role.kubernetes.io/control-plane", "value": "", "effect": "NoSchedule"}],
        "ready": True,
        "kubelet": "1.37.2",
        "runtime": "containerd://2.4.2",
    }
    assert (worker["ready"], worker["unschedulable"], worker["addresses"], worker["kubelet"]) == (False, False, [], "")


def test_an_api_server_of_another_authority_is_not_believed(tmp_path: Path) -> None:
    with (
        api_server(Authority(), tmp_path, ANSWERS) as port,
        pytest.raises(cluster.ClusterError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        cluster.read(kubeconfig(Authority(), port))


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "no /version"),
        (ANSWERS | {"/api/v1/nodes": 403}, "/api/v1/nodes: HTTP status 403"),
        (ANSWERS | {"/api/v1/nodes": {"items": [{}]}}, "KeyError"),
        (ANSWERS | {"/api/v1/nodes": []}, "TypeError"),
    ],
)
def test_other_answers_are_reasons(tmp_path: Path, answers: dict[str, Any], words: str) -> None:
    authority = Authority()
    with api_server(authority, tmp_path, answers) as port, pytest.raises(cluster.ClusterError, match=words):
        cluster.read(kubeconfig(authority, port))


def test_an_api_server_that_is_down_is_a_reason() -> None:
    with pytest.raises(cluster.ClusterError, match="refused"):
        cluster.read(kubeconfig(Authority(), 1))


@pytest.mark.parametrize("text", ["", "server: https://localhost:1\n", "clusters: {"])
def test_another_form_of_kubeconfig_is_a_reason(text: str) -> None:
    with pytest.raises(cluster.ClusterError, match=r"admin\.conf: found no "):
        cluster.read(text)


def test_damaged_credentials_are_a_reason() -> None:
    keys = ("certificate-authority-data", "client-certificate-data", "client-key-data")
    text = "server: https://localhost:1\n" + "".join(f"{key}: e30=\n" for key in keys)
    with pytest.raises(cluster.ClusterError):
        cluster.read(text)
