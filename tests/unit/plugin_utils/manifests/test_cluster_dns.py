"""The Service of cluster DNS, in both orders of the families."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import cluster_dns
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import parse_cluster

from tests.unit.plugin_utils.manifests.samples import settings


@pytest.mark.parametrize(
    ("primary", "families", "addresses"),
    [
        ("ipv4", ["IPv4", "IPv6"], ["10.96.0.10", "fd66:96::a"]),
        ("ipv6", ["IPv6", "IPv4"], ["fd66:96::a", "10.96.0.10"]),
    ],
)
def test_dns_has_both_families_with_the_primary_one_first(
    primary: str, families: list[str], addresses: list[str]
) -> None:
    """clusterIP is the first of clusterIPs, and each stands where its family does: the API server refuses others."""
    spec = cluster_dns.dns_service(parse_cluster(settings(primary_family=primary)))["spec"]
    assert spec["ipFamilies"] == families
    assert spec["clusterIPs"] == addresses
    assert spec["clusterIP"] == addresses[0]
    assert spec["ipFamilyPolicy"] == "RequireDualStack"


def test_dns_is_at_the_tenth_address_of_whatever_networks_there_are() -> None:
    """Which kubelets were told, and which an IPv6 network spells in hexadecimal."""
    cluster = parse_cluster(settings(service_cidrs=["172.16.32.0/20", "FD00:0:0:1::/112"]))
    assert cluster_dns.dns_service(cluster)["spec"]["clusterIPs"] == ["172.16.32.10", "fd00:0:0:1::a"]


def test_the_service_that_kubeadm_made_is_the_one_that_is_changed() -> None:
    """Its name, and its ports by the names of the pods' own; the selector stays kubeadm's."""
    made = cluster_dns.dns_service(parse_cluster(settings()))
    assert (made["apiVersion"], made["kind"]) == ("v1", "Service")
    assert made["metadata"] == {"name": "kube-dns", "namespace": "kube-system"}
    ports = {port["name"]: (port["port"], port["protocol"]) for port in made["spec"]["ports"]}
    assert ports == {"dns": (53, "UDP"), "dns-tcp": (53, "TCP"), "metrics": (9153, "TCP")}
    assert [port["targetPort"] for port in made["spec"]["ports"]] == list(ports)
    assert "selector" not in made["spec"]
