"""A cluster that stands as its hosts' probes show it: texts as kubeadm and Kubernetes write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import parse_cluster
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Settings

from tests.unit.plugin_utils.preflight.samples import CLUSTER, SETTINGS, Sample, fit_hosts

# ConfigMap kube-system/kubeadm-config: what kubeadm 1.37 makes of our document, with its defaults and its order.
KUBEADM_CONFIG = """\
apiServer:
  certSANs:
  - api.demo.internal
  - localhost
  - 127.0.0.1
  - ::1
  - cp1
  - 10.66.0.11
  - fd66::11
  - 10.96.0.1
  - fd66:96::1
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87600h0m0s
certificateValidityPeriod: 8760h0m0s
certificatesDir: /etc/kubernetes/pki
clusterName: demo
controlPlaneEndpoint: api.demo.internal:6443
controllerManager:
  extraArgs:
  - name: node-cidr-mask-size-ipv4
    value: "24"
  - name: node-cidr-mask-size-ipv6
    value: "64"
  - name: kube-api-qps
    value: "100"
  - name: kube-api-burst
    value: "200"
dns:
  imageTag: v1.15.0
encryptionAlgorithm: RSA-2048
etcd:
  local:
    dataDir: /var/lib/etcd
    imageTag: 3.7.3-0
imageRepository: registry.k8s.io
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
networking:
  dnsDomain: cluster.local
  podSubnet: 10.244.0.0/16,fd66:244::/56
  serviceSubnet: 10.96.0.0/16,fd66:96::/112
proxy: {}
scheduler: {}
"""
# /etc/twinstack/kubeadm.yaml, as this code and the release before it write it (golden file of tests/render).
ASKED = """\
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- ttl: 15m
  description: made by kubeadm init, for nobody
localAPIEndpoint:
  advertiseAddress: 10.66.0.11
  bindPort: 6443
nodeRegistration:
  name: cp1
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  kubeletExtraArgs:
  - name: node-ip
    value: 10.66.0.11,fd66::11
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: demo
kubernetesVersion: v1.37.2
controlPlaneEndpoint: api.demo.internal:6443
networking:
  dnsDomain: cluster.local
  podSubnet: 10.244.0.0/16,fd66:244::/56
  serviceSubnet: 10.96.0.0/16,fd66:96::/112
controllerManager:
  extraArgs:
  - name: node-cidr-mask-size-ipv4
    value: '24'
  - name: node-cidr-mask-size-ipv6
    value: '64'
dns:
  imageTag: v1.15.0
etcd:
  local:
    imageTag: 3.7.3-0
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
clusterDomain: cluster.local
"""


def manifest(name: str, image: str) -> str:
    """A static pod as kubeadm writes it."""
    return f"""\
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    component: {name}
  name: {name}
  namespace: kube-system
spec:
  containers:
  - command:
    - {name}
    image: {image}
    name: {name}
  hostNetwork: true
status: {{}}
"""


def api_node(name: str, number: int) -> dict[str, Any]:
    """A node as host_probe reads it from the API."""
    taint = {"key": "node-role.kubernetes.io/control-plane", "value": "", "effect": "NoSchedule"}
    return {
        "name": name,
        "uid": f"0000-{number}",
        "addresses": [f"10.66.0.{number}", f"fd66::{number}"],
        "unschedulable": False,
        "taints": [taint] if name == "cp1" else [],
        "ready": True,
        "kubelet": "1.37.2",
        "runtime": "containerd://2.4.2",
    }


def node(name: str, number: int, phase: str) -> dict[str, Any]:
    """``own.node`` of a host whose kubeadm came to its end; without a control plane's part."""
    return {
        "phase": phase,
        "finished": True,
        "error": "",
        "asked": "",
        "ca_digest": "c0ffee",
        "node_name": name,
        "node_ip": [f"10.66.0.{number}", f"fd66:0:0::{number}"],
        "versions": {"kubelet": "1.37.2", "containerd": "2.4.2"},
        "kubelet_config": "kind: KubeletConfiguration\n",
        "api_certificate": "",
        "manifests": {},
        "cluster": None,
        "cluster_error": "",
    }


def standing_hosts() -> list[Sample]:
    """cp1 and worker1 as the finished cluster ``demo``."""
    control_plane, worker = hosts = fit_hosts()
    for host, number, phase in ((control_plane, 11, "init"), (worker, 12, "join")):
        host.probe["own"] = {
            "present": True,
            "error": "",
            "cluster": "demo",
            "node": node(host.name, number, phase),
        }
    control_plane.probe["own"]["node"] |= {
        "asked": ASKED,
        "manifests": {
            "etcd": manifest("etcd", "registry.k8s.io/etcd:3.7.3-0"),
            "kube-apiserver": manifest("kube-apiserver", "registry.k8s.io/kube-apiserver:v1.37.2"),
        },
        "cluster": {
            "version": "1.37.2",
            "nodes": [api_node("cp1", 11), api_node("worker1", 12)],
            "kubeadm_config": KUBEADM_CONFIG,
            "kubelet_config": "kind: KubeletConfiguration\n",
            "kube_proxy": "kind: KubeProxyConfiguration\n",
            "images": {
                "kube-proxy": "registry.k8s.io/kube-proxy:v1.37.2",
                "coredns": "registry.k8s.io/coredns/coredns:v1.15.0",
                "calico-node": "docker.io/calico/node:v3.28.5",
            },
        },
    }
    return hosts


def of(host: Sample) -> dict[str, Any]:
    """``own.node`` of a host, to spoil."""
    found: dict[str, Any] = host.probe["own"]["node"]
    return found


def bare(host: Sample) -> None:
    """Make the host one on which nothing of ours ever ran."""
    host.probe["own"] = {"present": False, "error": "", "cluster": "", "node": None}


def without_api(hosts: list[Sample]) -> list[Sample]:
    """The same hosts while the API server does not answer."""
    of(hosts[0]).update(cluster=None, cluster_error="ConnectionRefusedError: [Errno 111] Connection refused")
    return hosts


def inventory(**changes: Any) -> Settings:
    """Settings of the cluster with changes in the inventory."""
    desired = parse_cluster(CLUSTER | changes)
    return replace(SETTINGS, cluster=desired.name, desired=desired, where="all.yml: {}".format)


def judged(
    spoil: Callable[[list[Sample]], Any] = lambda hosts: None, settings: Settings | None = None
) -> list[Finding]:
    """All findings about the cluster after the hosts were spoilt."""
    hosts = standing_hosts()
    spoil(hosts)
    return check_hosts(hosts, settings or inventory())
