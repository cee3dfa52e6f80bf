"""A three-node dual-stack cluster as the API shows it, without and with a mesh, for the tests of the verification."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.verify import objects
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Group
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Cluster, Outside, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import LABEL, services
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import Request
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

NAMESPACE = "twinstack-verify"
LAB = Outside({"IPv4": "10.66.0.1", "IPv6": "fd66::1"}, 40000)
SPACE = objects.mesh_namespace(NAMESPACE)
ANSWERED = Request(200, 0, 1.0, "10.244.2.6", "10.96.9.1", 0, 1, "")
RUN = "cafe0001"
NODES = {"cp1": 1, "worker1": 2, "worker2": 3}
CLUSTER_IPS = {
    "dual-ipv4-first": ["10.96.9.1", "fd66:96::901"],
    "dual-ipv6-first": ["fd66:96::902", "10.96.9.2"],
    "only-ipv4": ["10.96.9.3"],
    "only-ipv6": ["fd66:96::904"],
    "node-port": ["10.96.9.5", "fd66:96::905"],
    "headless": ["None"],
}


def node(name: str, number: int) -> dict[str, Any]:
    """A ready node; the first one carries the API server."""
    labels = {"node-role.kubernetes.io/control-plane": ""} if number == 1 else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDRs": [f"10.244.{number}.0/24", f"fd66:244:0:{number}::/64"]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": f"10.66.0.1{number}"},
                {"type": "InternalIP", "address": f"fd66::1{number}"},
                {"type": "Hostname", "address": name},
            ],
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {
                "kubeletVersion": "v1.37.2",
                "kernelVersion": "7.3.4",
                "osImage": "Debian GNU/Linux 13 (trixie)",
                "containerRuntimeVersion": "containerd://2.4.2",
            },
        },
    }


def pod(kind: str, name: str, number: int) -> dict[str, Any]:
    """A running agent."""
    ips = [f"10.66.0.1{number}", f"fd66::1{number}"]
    if kind != "host":
        last = {"pod": 4, "peer": 5}[kind]
        ips = [f"10.244.{number}.{last}", f"fd66:244:0:{number}::{last}"]
    return {
        "metadata": {"name": f"{kind}-{name}", "namespace": NAMESPACE, "labels": {LABEL: kind}},
        "spec": {"nodeName": name, "containers": [{"image": "registry.k8s.io/e2e-test-images/agnhost:2.66.1"}]},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": ip} for ip in ips],
            "containerStatuses": [{"ready": True, "state": {"running": {}}}],
        },
    }


def service(name: str, space: str, ips: list[str], ports: list[dict[str, Any]]) -> dict[str, Any]:
    """A Service."""
    return {"metadata": {"name": name, "namespace": space}, "spec": {"clusterIPs": ips, "ports": ports}}


def piece(name: str, space: str, addresses: list[str], ports: list[tuple[str, int, str]]) -> dict[str, Any]:
    """An EndpointSlice of one family."""
    return {
        "metadata": {"namespace": space, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv6" if ":" in addresses[0] else "IPv4",
        "ports": [{"name": title, "port": port, "protocol": protocol} for title, port, protocol in ports],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def raw_cluster() -> dict[str, Any]:
    """A fresh copy of everything that `observe` takes; tests break one thing in it."""
    pod_ips = {
        "IPv4": [f"10.244.{number}.4" for number in NODES.values()],
        "IPv6": [f"fd66:244:0:{number}::4" for number in NODES.values()],
    }
    found = [
        service("kubernetes", "default", ["10.96.0.1"], [{"name": "https", "port": 443, "protocol": "TCP"}]),
        service(
            "kube-dns",
            "kube-system",
            ["10.96.0.10", "fd66:96::a"],
            [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}],
        ),
    ]
    dns_ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")]
    slices = [
        piece("kubernetes", "default", ["10.66.0.11"], [("https", 6443, "TCP")]),
        piece("kube-dns", "kube-system", ["10.244.2.2", "10.244.2.3"], dns_ports),
        piece("kube-dns", "kube-system", ["fd66:244:0:2::2", "fd66:244:0:2::3"], dns_ports),
    ]
    for item in services():
        name = item["metadata"]["name"]
        port = {"name": "http", "port": 80, "protocol": "TCP"}
        if name == "node-port":
            port["nodePort"] = 30080
        found.append(service(name, NAMESPACE, CLUSTER_IPS[name], [port]))
        slices += [piece(name, NAMESPACE, pod_ips[family], [("http", 8080, "TCP")]) for family in ("IPv4", "IPv6")]
    return copy.deepcopy(
        {
            "name": "twinstack",
            "namespace": NAMESPACE,
            "version": "v1.37.2",
            "nodes": [node(name, number) for name, number in NODES.items()],
            "pods": [pod(kind, name, number) for kind in ("pod", "peer", "host") for name, number in NODES.items()],
            "services": found,
            "slices": slices,
            "events": [],
            "problems": {},
            "kubeadm": {
                "networking": {"dnsDomain": "cluster.local"},
                "apiServer": {"certSANs": ["api.twinstack.internal", "localhost", "::1", "10.66.0.11", "fd66::11"]},
            },
            "kube_proxy": {"mode": "ipvs", "metricsBindAddress": "127.0.0.1:10249"},
            "pools": [
                {"metadata": {"name": "v4"}, "spec": {"cidr": "10.244.0.0/16", "vxlanMode": "CrossSubnet"}},
                {"metadata": {"name": "v6"}, "spec": {"cidr": "fd66:244::/56", "vxlanMode": "CrossSubnet"}},
            ],
            "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
        }
    )


def sample_cluster() -> Cluster:
    """The healthy cluster."""
    return observe(raw_cluster())


def raw_mesh() -> dict[str, Any]:
    """The healthy cluster with a mesh, a pod of it on every worker."""
    raw = raw_cluster()
    raw["mesh_revision"] = "stable"
    raw["builds"] = {"stable": "docker.io/istio/proxyv2:1"}
    for name, number in NODES.items():
        if number > 1:
            item = pod("pod", name, number)
            item["metadata"] |= {"name": f"mesh-{name}", "namespace": SPACE, "labels": {objects.LABEL: "mesh"}}
            raw["pods"].append(item)
    for item in objects.mesh_services():
        name = item["metadata"]["name"]
        port = {"name": "http", "port": 80, "protocol": "TCP"} | ({"nodePort": 31080} if name == "gateway" else {})
        raw["services"].append(service(name, SPACE, CLUSTER_IPS.get(name, ["10.96.9.9", "fd66:96::909"]), [port]))
    return raw


def raw_observed() -> dict[str, Any]:
    """The mesh with two tenants, one of them with HTTPS, and Prometheus, Jaeger and Kiali."""
    raw = raw_mesh()
    for number, (name, port) in enumerate(
        (("prometheus", 9090), ("jaeger-query", 16686), ("kiali", 20001), ("jaeger-collector", 4317))
    ):
        ports = [{"name": "http", "port": port, "protocol": "TCP"}]
        raw["services"].append(service(name, "observability", [f"10.96.8.{number}", f"fd66:96::80{number}"], ports))
    http = {"name": "http", "port": 80, "nodePort": 30080}
    https = {"name": "https", "port": 443, "nodePort": 30443}
    foo = service("gateway", "foo", ["10.96.7.1", "fd66:96::701"], [http, https]) | {"certificate": "PEM\n"}
    foo["metadata"]["annotations"] = {"twinstack.core/certificate-host": "foo.example"}
    bar = service("gateway", "bar", ["10.96.7.2", "fd66:96::702"], [http | {"nodePort": 30081}]) | {"certificate": ""}
    shop = service("shop", "foo", ["10.96.7.3", "fd66:96::703"], [{"name": "http", "port": 80, "targetPort": "web"}])
    shop["spec"]["selector"] = {"app": "shop"}
    for number in (1, 2):
        item = pod("pod", "worker1", 2)
        item["metadata"] = {
            "name": f"shop-v1-{number}",
            "namespace": "foo",
            "labels": {"app": "shop", "pod-template-hash": "v1"},
        }
        item["spec"]["containers"] = [{"name": "web", "image": "x", "ports": [{"name": "web", "containerPort": 8081}]}]
        raw["pods"].append(item)
    return raw | {"gateways": [foo, bar], "tenant_services": [foo, bar, shop]}


def probes_of(
    group: Group, raw: dict[str, Any], proxy_mode: str = "ipvs", outside: Outside | None = LAB
) -> dict[str, Probe]:
    """What one group has for a cluster, by id."""
    scope = Scope(observe(raw), NAMESPACE, 18080, proxy_mode, outside, RUN)
    return {item.id: item for item in group.plan(scope) if isinstance(item, Probe)}
