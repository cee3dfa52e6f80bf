"""The documents that follow from one cluster's settings, in both orders of the families."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import cluster as model

CALICO = """
apiVersion: v1
kind: ConfigMap
metadata: {name: calico-config, namespace: kube-system}
data:
  veth_mtu: "1"
  cni_network_config: |-
    {"plugins": [{"type": "calico", "mtu": __CNI_MTU__, "ipam": {"type": "calico-ipam"}}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      containers:
        - name: calico-node
          env:
            - {name: KEPT, value: "1"}
            - {name: CALICO_IPV4POOL_VXLAN, value: CrossSubnet}
            - {name: FELIX_IPV6SUPPORT, value: "false"}
          livenessProbe: {exec: {command: [/bin/calico-node, -felix-live]}, periodSeconds: 10}
          readinessProbe: {exec: {command: [/bin/calico-node, -felix-ready]}, periodSeconds: 10}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: calico-node, namespace: kube-system}
"""


def settings(**changes: Any) -> dict[str, Any]:
    """Settings of a small cluster, with changes."""
    data: dict[str, Any] = {
        "name": "t",
        "domain": "cluster.local",
        "primary_family": "ipv4",
        "pod_cidrs": ["10.244.0.0/16", "FD66:0244:0::/56"],
        "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
        "node_mask": {"ipv4": 24, "ipv6": 64},
        "proxy_mode": "ipvs",
        "ipvs_min_sync_period": 3,
        "encapsulation": "VXLANCrossSubnet",
        "mtu": 0,
        "versions": {"kubernetes": "1.37.2", "coredns": "1.15.0", "etcd": "3.7.3"},
        "api_name": "api.t",
        "api_port": 6443,
        "control_plane": [{"name": "cp1", "ipv4": "10.0.0.1", "ipv6": "fd00::1"}],
        "worker": [{"name": "w1", "ipv4": "10.0.0.2", "ipv6": "fd00::2"}],
    }
    return data | changes


@pytest.mark.parametrize(("family", "first"), [("ipv4", 0), ("ipv6", 1)])
def test_every_dual_list_starts_with_the_primary_family(family: str, first: int) -> None:
    cluster = model.parse_cluster(settings(primary_family=family))
    pair = ("10.0.0.1", "fd00::1")
    init, configuration, kubelet, _proxy = model.kubeadm_init(cluster, cluster.control_plane[0])
    assert init["localAPIEndpoint"]["advertiseAddress"] == pair[first]
    assert init["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "node-ip", "value": f"{pair[first]},{pair[1 - first]}"}
    ]
    services = configuration["networking"]["serviceSubnet"].split(",")
    assert services == [("10.96.0.0/16", "fd66:96::/112")[place] for place in (first, 1 - first)]
    assert kubelet["clusterDNS"] == [("10.96.0.10", "fd66:96::a")[place] for place in (first, 1 - first)]
    assert model.dns_service(cluster)["spec"]["clusterIPs"] == kubelet["clusterDNS"]
    assert model.calico_pools(cluster)[0]["spec"]["cidr"] == cluster.pod_cidr[family]


def test_the_api_certificate_names_both_families() -> None:
    names = model.certificate_names(model.parse_cluster(settings()))
    assert {"10.0.0.1", "fd00::1", "10.96.0.1", "fd66:96::1", "127.0.0.1", "::1", "api.t", "cp1"} <= set(names)


def test_an_ipv6_endpoint_is_bracketed() -> None:
    assert model.endpoint("fd00::1", 6443) == "[fd00::1]:6443"
    assert model.endpoint("api.t", 6443) == "api.t:6443"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_missing_node_mask_is_refused_by_name(family: str) -> None:
    masks = {"ipv4": 24, "ipv6": 64} | {family: 0}
    with pytest.raises(ValueError, match=f"node_mask: found nothing for {family}"):
        model.parse_cluster(settings(node_mask=masks))


@pytest.mark.parametrize("field", ["pod_cidrs", "service_cidrs"])
@pytest.mark.parametrize("networks", [["10.64.0.0/16"], ["fd01::/112"], ["10.64.0.0/16", "10.65.0.0/16"]])
def test_networks_of_one_family_are_refused_by_name(field: str, networks: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{field}: found {networks[0]}.*expected one network of each family"):
        model.parse_cluster(settings(**{field: networks}))


def test_addresses_and_networks_get_one_spelling() -> None:
    host = {"name": "w1", "ipv4": "10.0.0.2", "ipv6": "FD00:0:0:0:0:0:0:2"}
    cluster = model.parse_cluster(settings(worker=[host]))
    assert cluster.worker[0].ipv6 == "fd00::2"
    assert cluster.pod_cidr == {"ipv4": "10.244.0.0/16", "ipv6": "fd66:244::/56"}


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_host_without_a_family_is_refused_by_name(family: str) -> None:
    host = {"name": "w1", "ipv4": "10.0.0.2", "ipv6": "fd00::2"} | {family: ""}
    with pytest.raises(ValueError, match=f"w1: {family}"):
        model.parse_cluster(settings(worker=[host]))


def test_strict_arp_and_a_pause_belong_to_ipvs_only() -> None:
    ipvs = model.kube_proxy_configuration(model.parse_cluster(settings()))["ipvs"]
    assert ipvs == {"strictARP": True, "minSyncPeriod": "3s"}
    assert "ipvs" not in model.kube_proxy_configuration(model.parse_cluster(settings(proxy_mode="nftables")))


def test_calico_gets_both_families() -> None:
    documents = list(yaml.safe_load_all(CALICO))
    endpoint, config, workload, account = model.calico_objects(documents, model.parse_cluster(settings(mtu=1400)))
    assert endpoint["data"] == {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    network = config["data"]["cni_network_config"].replace("__CNI_MTU__", config["data"]["veth_mtu"])
    ipam = yaml.safe_load(network)["plugins"][0]["ipam"]
    assert ipam == {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}
    assert yaml.safe_load(network)["plugins"][0]["mtu"] == 1400
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["KEPT"] == "1"
    assert environment["FELIX_IPV6SUPPORT"] == "true"
    assert environment["NO_DEFAULT_POOLS"] == "true"
    assert "CALICO_IPV4POOL_VXLAN" not in environment
    assert account["kind"] == "ServiceAccount"
    asked = {"host": "127.0.0.1", "port": 9099, "scheme": "HTTP"}
    assert container["livenessProbe"] == {"httpGet": {**asked, "path": "/liveness"}, "periodSeconds": 10}
    assert container["readinessProbe"] == {"httpGet": {**asked, "path": "/readiness"}, "periodSeconds": 2}


def test_a_calico_node_whose_probes_start_no_program_is_refused() -> None:
    documents = list(yaml.safe_load_all(CALICO.replace("exec:", "tcpSocket:")))
    with pytest.raises(ValueError, match="calico-node: found no livenessProbe that starts a program"):
        model.calico_objects(documents, model.parse_cluster(settings()))


def test_a_calico_manifest_without_the_parts_to_patch_is_refused() -> None:
    documents = list(yaml.safe_load_all(CALICO))[1:]
    with pytest.raises(ValueError, match="no ConfigMap calico-config"):
        model.calico_objects(documents, model.parse_cluster(settings()))


@pytest.mark.parametrize(
    ("encapsulation", "mode"), [("VXLANCrossSubnet", "CrossSubnet"), ("VXLAN", "Always"), ("None", "Never")]
)
def test_both_pools_take_the_encapsulation(encapsulation: str, mode: str) -> None:
    pools = model.calico_pools(model.parse_cluster(settings(encapsulation=encapsulation)))
    assert [pool["spec"]["vxlanMode"] for pool in pools] == [mode, mode]
    assert all(pool["spec"]["natOutgoing"] for pool in pools)


def test_hosts_block_names_every_node_and_the_api_in_both_families() -> None:
    lines = model.hosts_block(model.parse_cluster(settings())).splitlines()
    assert set(lines) == {
        "10.0.0.1 cp1", "10.0.0.2 w1", "10.0.0.1 api.t", "fd00::1 cp1", "fd00::2 w1", "fd00::1 api.t",
    }  # fmt: skip
