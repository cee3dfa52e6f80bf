"""Documents of kubeadm, in both orders of the families."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import calico, cluster_dns, kubeadm
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import parse_cluster

from tests.unit.plugin_utils.manifests.samples import settings


@pytest.mark.parametrize(("family", "first"), [("ipv4", 0), ("ipv6", 1)])
def test_every_dual_list_starts_with_the_primary_family(family: str, first: int) -> None:
    cluster = parse_cluster(settings(primary_family=family))
    pair = ("10.0.0.1", "fd00::1")
    init, configuration, kubelet, _proxy = kubeadm.kubeadm_init(cluster, cluster.control_plane[0])
    assert init["localAPIEndpoint"]["advertiseAddress"] == pair[first]
    assert init["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "node-ip", "value": f"{pair[first]},{pair[1 - first]}"}
    ]
    services = configuration["networking"]["serviceSubnet"].split(",")
    assert services == [("10.96.0.0/16", "fd66:96::/112")[place] for place in (first, 1 - first)]
    assert kubelet["clusterDNS"] == [("10.96.0.10", "fd66:96::a")[place] for place in (first, 1 - first)]
    assert cluster_dns.dns_service(cluster)["spec"]["clusterIPs"] == kubelet["clusterDNS"]
    assert calico.calico_pools(cluster)[0]["spec"]["cidr"] == cluster.pod_cidr[family]


def test_the_api_certificate_names_both_families() -> None:
    names = kubeadm.certificate_names(parse_cluster(settings()))
    assert {"10.0.0.1", "fd00::1", "10.96.0.1", "fd66:96::1", "127.0.0.1", "::1", "api.t", "cp1"} <= set(names)


def test_an_ipv6_endpoint_is_bracketed() -> None:
    assert kubeadm.endpoint("fd00::1", 6443) == "[fd00::1]:6443"
    assert kubeadm.endpoint("api.t", 6443) == "api.t:6443"


def test_strict_arp_and_a_pause_belong_to_ipvs_only() -> None:
    ipvs = kubeadm.kube_proxy_configuration(parse_cluster(settings()))["ipvs"]
    assert ipvs == {"strictARP": True, "minSyncPeriod": "3s"}
    assert "ipvs" not in kubeadm.kube_proxy_configuration(parse_cluster(settings(proxy_mode="nftables")))
