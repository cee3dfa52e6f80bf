"""Settings of a cluster: one spelling, and both families or none."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import cluster_settings

from tests.unit.plugin_utils.manifests.samples import settings


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_missing_node_mask_is_refused_by_name(family: str) -> None:
    masks = {"ipv4": 24, "ipv6": 64} | {family: 0}
    with pytest.raises(ValueError, match=f"node_mask: found nothing for {family}"):
        cluster_settings.parse_cluster(settings(node_mask=masks))


@pytest.mark.parametrize("field", ["pod_cidrs", "service_cidrs"])
@pytest.mark.parametrize("networks", [["10.64.0.0/16"], ["fd01::/112"], ["10.64.0.0/16", "10.65.0.0/16"]])
def test_networks_of_one_family_are_refused_by_name(field: str, networks: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{field}: found {networks[0]}.*expected one network of each family"):
        cluster_settings.parse_cluster(settings(**{field: networks}))


def test_addresses_and_networks_get_one_spelling() -> None:
    host = {"name": "w1", "ipv4": "10.0.0.2", "ipv6": "FD00:0:0:0:0:0:0:2"}
    cluster = cluster_settings.parse_cluster(settings(worker=[host]))
    assert cluster.worker[0].ipv6 == "fd00::2"
    assert cluster.pod_cidr == {"ipv4": "10.244.0.0/16", "ipv6": "fd66:244::/56"}


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_host_without_a_family_is_refused_by_name(family: str) -> None:
    host = {"name": "w1", "ipv4": "10.0.0.2", "ipv6": "fd00::2"} | {family: ""}
    with pytest.raises(ValueError, match=f"w1: {family}"):
        cluster_settings.parse_cluster(settings(worker=[host]))


def test_hosts_block_names_every_node_and_the_api_in_both_families() -> None:
    lines = cluster_settings.hosts_block(cluster_settings.parse_cluster(settings())).splitlines()
    assert set(lines) == {
        "10.0.0.1 cp1", "10.0.0.2 w1", "10.0.0.1 api.t", "fd00::1 cp1", "fd00::2 w1", "fd00::1 api.t",
    }  # fmt: skip
