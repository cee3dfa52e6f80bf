"""From the API's JSON to a cluster: what each part is read from, family by family."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Pool, TenantGateway, Workload
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import (
    certificate_names,
    component_versions,
    images,
    observe,
    parse_agents,
    parse_gateway,
    parse_node,
    parse_pools,
    parse_service,
    parse_workloads,
    pods_without,
    proxy_metrics,
    waiting_reason,
)

from tests.unit.module_utils.verify.samples import NAMESPACE, node, piece, pod, raw_cluster, raw_observed, service


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "absent"}}}]},
            "ErrImageNeverPull: absent",
        ),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "no node"}]},
            "no node",
        ),
        ({"phase": "Pending"}, "Pending"),
    ],
)
def test_why_a_pod_waits(status: dict[str, Any], expected: str) -> None:
    assert waiting_reason({"metadata": {"name": "x"}, "status": status}) == expected


def test_a_warning_says_more_than_a_container_that_is_being_created() -> None:
    item = {
        "metadata": {"name": "x"},
        "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]},
    }
    events = [
        {"type": "Warning", "reason": "Old", "message": "a", "lastTimestamp": "1", "involvedObject": {"name": "x"}},
        {"type": "Warning", "reason": "New", "message": "b", "lastTimestamp": "2", "involvedObject": {"name": "x"}},
        {"type": "Normal", "reason": "Fine", "message": "c", "lastTimestamp": "3", "involvedObject": {"name": "x"}},
        {"type": "Warning", "reason": "Other", "message": "d", "lastTimestamp": "4", "involvedObject": {"name": "y"}},
    ]
    assert waiting_reason(item, events) == "New: b"


def test_a_node_has_its_internal_address_of_each_family() -> None:
    item = node("cp1", 1)
    item["status"]["addresses"].append({"type": "ExternalIP", "address": "192.0.2.1"})
    found = parse_node(item)
    assert found.addresses == {"IPv4": "10.66.0.11", "IPv6": "fd66::11"}
    assert (found.control_plane, found.ready) == (True, True)
    item["status"]["conditions"][0]["status"] = "Unknown"
    assert not parse_node(item).ready
    assert not parse_node(node("worker1", 2)).control_plane


def test_pods_are_agents_by_kind_and_node_and_what_was_never_created_is_there_too() -> None:
    nodes = [parse_node(node("cp1", 1)), parse_node(node("worker1", 2))]
    going = pod("peer", "cp1", 1)
    going["metadata"]["deletionTimestamp"] = "now"
    unscheduled = pod("host", "worker1", 2)
    del unscheduled["spec"]["nodeName"]
    terms = [{"matchFields": [{"key": "metadata.name", "values": ["worker1"]}]}]
    unscheduled["spec"]["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    unscheduled["status"] = {"phase": "Pending"}
    found = parse_agents([pod("pod", "cp1", 1), going, unscheduled], nodes)
    assert set(found) == {f"{kind}/{name}" for kind in ("pod", "peer", "host") for name in ("cp1", "worker1")}
    assert found["pod/cp1"].addresses == {"IPv4": "10.244.1.4", "IPv6": "fd66:244:0:1::4"}
    assert [name for name, agent in found.items() if agent.running] == ["pod/cp1"]
    assert found["peer/cp1"].reason == "it was never created"
    assert found["host/worker1"].reason == "Pending"
    # Only workers have a pod in the mesh.
    assert set(parse_agents([], nodes, mesh=True)) - set(found) == {"mesh/worker1"}


def test_a_service_has_the_ready_endpoints_of_its_own_slices_by_family() -> None:
    ports = [{"name": "web", "port": 80, "nodePort": 30080}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    item = service("shop", "foo", ["10.96.1.1", "fd66:96::1"], ports)
    one = piece("shop", "foo", ["10.244.1.9", "10.244.2.9"], [("web", 8080, "TCP"), ("dns", 5353, "UDP")])
    one["endpoints"][1]["conditions"]["ready"] = False
    two = piece("shop", "foo", ["10.244.3.9"], [("web", 8080, "TCP")])
    six = piece("shop", "foo", ["fd66:244:0:0:0:0:0:9"], [("web", 8080, "TCP")])
    others = [piece("shop", "bar", ["10.9.9.9"], [("web", 1, "TCP")]), piece("x", "foo", ["10.9.9.9"], [])]
    found = parse_service(item, [one, two, six, *others])
    assert found.addresses == {"IPv4": "10.96.1.1", "IPv6": "fd66:96::1"}
    assert found.ports == (("TCP", 80, 30080), ("UDP", 53, 0))
    assert found.servers == {
        ("IPv4", "TCP", 80): {"10.244.1.9:8080", "10.244.3.9:8080"},
        ("IPv4", "UDP", 53): {"10.244.1.9:5353"},
        ("IPv6", "TCP", 80): {"[fd66:244::9]:8080"},
    }
    assert parse_service(service("h", "foo", ["None"], []), []).addresses == {}


def test_only_running_pods_can_lack_an_address() -> None:
    nodes = [parse_node(node("cp1", 1))]
    lacking, pending, gone = pod("pod", "cp1", 1), pod("peer", "cp1", 1), pod("host", "cp1", 1)
    for item in (lacking, pending, gone):
        item["status"]["podIPs"].pop()
    pending["status"]["phase"] = "Pending"
    gone["metadata"]["deletionTimestamp"] = "now"
    assert pods_without([lacking, pending, gone], nodes) == {
        ("cp1", "IPv4"): (),
        ("cp1", "IPv6"): (f"{NAMESPACE}/pod-cp1",),
    }


@pytest.mark.parametrize(
    ("spec", "encapsulation"),
    [
        ({"vxlanMode": "CrossSubnet"}, "VXLANCrossSubnet"),
        ({"vxlanMode": "Always"}, "VXLAN"),
        ({"vxlanMode": "Never"}, "None"),
        ({}, "None"),
        ({"ipipMode": "Always"}, "IPIP"),
    ],
)
def test_pools_say_how_they_encapsulate(spec: dict[str, str], encapsulation: str) -> None:
    item = {"metadata": {"name": "v6"}, "spec": {"cidr": "fd66:244::/56", "disabled": True, **spec}}
    assert parse_pools([item]) == (Pool("v6", "fd66:244::/56", True, encapsulation),)


def test_a_tenants_gateway_is_known_by_its_node_ports() -> None:
    foo, bar = raw_observed()["gateways"]
    assert parse_gateway(foo) == TenantGateway("foo", 30080, 30443, "foo.example", "PEM\n")
    assert parse_gateway(bar) == TenantGateway("bar", 30081, 0)


def test_one_running_pod_stands_for_all_of_its_kind() -> None:
    raw = raw_observed()
    one = Workload("foo", "shop", "shop-v1-1", "web", "worker1", 8081, "v1", ("IPv4", "IPv6"))
    assert parse_workloads(raw["tenant_services"], raw["pods"]) == (one,), "gateways have no selector of programs"
    raw["pods"][-2]["status"]["phase"] = "Pending"
    (other,) = parse_workloads(raw["tenant_services"], raw["pods"])
    assert other.pod == "shop-v1-2"
    raw["pods"][-1]["metadata"]["namespace"] = "elsewhere"
    assert parse_workloads(raw["tenant_services"], raw["pods"]) == ()


def test_ports_that_no_program_can_listen_at_by_tcp_are_left_out() -> None:
    raw = raw_observed()
    shop = raw["tenant_services"][-1]
    shop["spec"]["ports"] = [
        {"port": 53, "protocol": "UDP", "targetPort": 53},
        {"port": 81, "targetPort": "nowhere"},
        {"port": 9090},
    ]
    assert [one.port for one in parse_workloads([shop], raw["pods"])] == [9090]
    raw["pods"][-1]["spec"]["containers"][0]["name"] = raw["pods"][-2]["spec"]["containers"][0]["name"] = "istio-proxy"
    assert parse_workloads([shop], raw["pods"]) == (), "the proxy is not the tenant's program"
    shop["spec"]["selector"] = {"istio": "gateway"}
    assert parse_workloads([shop], raw["pods"]) == ()


@pytest.mark.parametrize(
    ("address", "where"),
    [
        (None, "127.0.0.1:10249"),
        ("0.0.0.0:10249", "127.0.0.1:10249"),
        ("[::]:10250", "[::1]:10250"),
        ("10.0.0.1:10249", "10.0.0.1:10249"),
    ],
)
def test_kube_proxy_is_queried_where_it_listens(address: str | None, where: str) -> None:
    assert proxy_metrics({"metricsBindAddress": address} if address else None) == where


def test_the_certificate_promises_names_once_and_none_of_a_loopback() -> None:
    own = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.x.lan")
    assert certificate_names(None, "x.lan") == own
    names = ["kubernetes", "localhost", "127.0.0.1", "::1", "api.x", "2001:db8::1"]
    assert certificate_names({"apiServer": {"certSANs": names}}, "x.lan") == (*own, "api.x", "2001:db8::1")


def test_a_nodes_own_address_is_no_name_to_be_tried_again() -> None:
    assert observe(raw_cluster()).certificate_names[4:] == ("api.twinstack.internal",)


def test_versions_that_differ_are_all_named() -> None:
    nodes = [node("cp1", 1), node("worker1", 2)]
    nodes[1]["status"]["nodeInfo"]["kubeletVersion"] = "v1.37.1"
    pods: list[dict[str, Any]] = [
        {"spec": {"containers": [{"image": image}]}}
        for image in ("quay.io/calico/node:v3.1", "registry.k8s.io/etcd@sha256:1", "docker.io/x/notcoredns:1")
    ]
    assert component_versions("v1.37.2", nodes, pods) == {
        "kubernetes": "v1.37.2",
        "kubelet": "v1.37.1, v1.37.2",
        "kernel": "7.3.4",
        "os": "Debian GNU/Linux 13 (trixie)",
        "containerd": "2.4.2",
        "calico": "v3.1",
    }


def test_images_are_known_by_their_digest() -> None:
    digest = f"sha256:{'a' * 64}"
    status = {
        "initContainerStatuses": [{"image": "b:1", "imageID": f"x/b@{digest}"}],
        "containerStatuses": [{"image": "a:1", "imageID": f"x/a@{digest}"}, {"image": "c:1", "imageID": "pending"}],
    }
    assert list(images([{"status": status}]).items()) == [("a:1", digest), ("b:1", digest)]


def test_a_refused_service_bears_the_apis_words_and_a_cluster_without_calico_no_pools() -> None:
    raw = raw_cluster()
    raw["problems"], raw["pools"], raw["kubeadm"] = {"only-ipv6": "no IPv6"}, None, None
    found = observe(raw)
    assert found.services[f"{NAMESPACE}/only-ipv6"].problem == "no IPv6"
    assert found.pools is None
    assert found.domain == "cluster.local"
    assert [one.name for one in found.nodes] == ["cp1", "worker1", "worker2"]
    assert found.api_port == 6443
    raw["slices"][0]["ports"][0]["port"] = 8443
    assert observe(raw).api_port == 8443
