"""Settings of the whole cluster: MTU, periods, ports, DNS names and versions, at the edges of what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.files import Variable
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import settings as setting_rules

from tests import inventories

INVENTORY = Inventory(
    {"all": ("cp1", "w1")}, {}, {}, variables=(Variable("twinstack_mtu", "group_vars/mtu.yml", "group", "all"),)
)


def numbers(**settings: int) -> list[str]:
    """What is wrong with these numbers."""
    return [finding.line() for finding in setting_rules.check_numbers(INVENTORY, settings)]


def names(**settings: str) -> list[tuple[str, str]]:
    """Field and expectation of what is wrong with these names."""
    found = setting_rules.check_dns_names(INVENTORY, settings)
    return [(finding.field, finding.expected) for finding in found]


def test_what_is_not_set_is_not_judged() -> None:
    assert numbers() == []
    assert names() == []


@pytest.mark.parametrize("mtu", [0, 1280, 1500, 9216])
def test_an_mtu_is_free_or_one_that_ipv6_and_switches_take(mtu: int) -> None:
    assert numbers(twinstack_mtu=mtu) == []


@pytest.mark.parametrize("mtu", [-1, 1, 1279, 9217])
def test_an_mtu_that_ipv6_or_a_switch_does_not_take(mtu: int) -> None:
    expected = "0, or 1280 (the least for IPv6) to 9216"
    assert numbers(twinstack_mtu=mtu) == [f"group_vars/mtu.yml: twinstack_mtu: found {mtu}; expected {expected}"]


@pytest.mark.parametrize(("period", "right"), [(-1, False), (0, True), (30, True), (31, False)])
def test_a_pause_ends_before_kube_proxys_own_period(period: int, right: bool) -> None:
    found = numbers(twinstack_ipvs_min_sync_period=period)
    assert [line.split(";")[0] for line in found] == (
        [] if right else [f"group_vars/all: twinstack_ipvs_min_sync_period: found {period}"]
    )


@pytest.mark.parametrize("port", [1, 443, 6443, 29999, 32768, 65535])
def test_ports_that_an_api_can_have(port: int) -> None:
    assert numbers(twinstack_api_port=port) == []


@pytest.mark.parametrize(
    ("port", "told"),
    [
        (0, "found 0; expected a port of 1 to 65535"),
        (65536, "found 65536; expected a port of 1 to 65535"),
        (30000, "found 30000, which is a NodePort; expected a port outside 30000 to 32767"),
        (32767, "found 32767, which is a NodePort; expected a port outside 30000 to 32767"),
        (22, "found 22, a port of SSH; expected one that is free on the control plane"),
        (2379, "found 2379, a port of etcd; expected one that is free on the control plane"),
        (10259, "found 10259, a port of kube-scheduler; expected one that is free on the control plane"),
    ],
)
def test_ports_that_an_api_cannot_have(port: int, told: str) -> None:
    assert numbers(twinstack_api_port=port) == [f"group_vars/all: twinstack_api_port: {told}"]


@pytest.mark.parametrize(
    ("tunnel", "told"),
    [
        (1023, "found 1023; expected a port of 1024 to 65535"),
        (65536, "found 65536; expected a port of 1024 to 65535"),
        (6443, "found 6443, which is twinstack_api_port too; expected another port"),
    ],
)
def test_ports_that_a_tunnel_cannot_have(tunnel: int, told: str) -> None:
    found = numbers(twinstack_api_port=6443, twinstack_api_tunnel_port=tunnel)
    assert found == [f"group_vars/all: twinstack_api_tunnel_port: {told}"]
    assert numbers(twinstack_api_tunnel_port=1024) == numbers(twinstack_api_tunnel_port=65535) == []


LABELS, DNS_NAME = "lower-case letters, digits and hyphens", "a DNS name in lower case"


@pytest.mark.parametrize("name", ["", "My", "a.b", "a_b", "-a", "a" * 64])
def test_a_clusters_name_is_one_label(name: str) -> None:
    assert names(twinstack_cluster_name=name) == [("twinstack_cluster_name", LABELS)]
    assert names(twinstack_cluster_name="a" * 63) == []


@pytest.mark.parametrize("field", ["twinstack_cluster_domain", "twinstack_api_name"])
@pytest.mark.parametrize("name", ["", "a..b", "a.b.", ".a", "A.b", "a_b.c", "10.0.0.1", "fd00::1", "::1", "a." * 127])
def test_what_is_no_dns_name_is_refused(field: str, name: str) -> None:
    """Nor is an address of either family one, though the IPv4 one is made of labels."""
    assert names(**{field: name}) == [(field, DNS_NAME)]


@pytest.mark.parametrize("name", ["local", "cluster.local", "1.2.3", "a." * 126 + "b"])
def test_what_is_a_dns_name_is_accepted(name: str) -> None:
    assert names(twinstack_cluster_domain=name, twinstack_api_name=name) == []


def test_a_long_name_counts_as_a_whole() -> None:
    """Each of its labels is short enough."""
    label = "a" * 62
    assert names(twinstack_api_name=".".join([label] * 4)) == []
    assert names(twinstack_api_name=".".join([label] * 4) + ".aa") == [("twinstack_api_name", DNS_NAME)]


def test_only_the_apis_name_must_not_be_a_hosts() -> None:
    assert names(twinstack_api_name="w1") == [("twinstack_api_name", "a name of its own")]
    assert names(twinstack_cluster_domain="w1", twinstack_cluster_name="w1") == []


def versions(**settings: Any) -> list[tuple[str, str]]:
    """Level and field of what is wrong with these versions."""
    rules = inventories.rules()
    found = setting_rules.check_versions(INVENTORY, settings, rules.pairs, rules.mesh_pairs)
    return [(finding.level, finding.field) for finding in found]


def test_versions_are_judged_with_the_proxy_mode_and_the_meshs() -> None:
    chosen = inventories.VERSIONS
    assert versions() == versions(twinstack_versions=chosen) == []
    assert versions(twinstack_versions=chosen, twinstack_proxy_mode="nftables") == []
    assert versions(twinstack_versions=chosen, twinstack_proxy_mode="ipvs") == [("warning", "twinstack_proxy_mode")]
    found = versions(twinstack_versions=chosen | {"calico": "1.0.0"}, twinstack_proxy_mode="nftables")
    assert found == [("error", "twinstack_versions.calico")]
    revisions = [{"name": "stable", "default": True, "build": {"tag": "1.2.3"}}]
    found = versions(twinstack_versions=chosen, istio_revisions=revisions)
    assert [level for level, _field in found] == ["error"] and found[0][1].startswith("istio_revisions")


@pytest.mark.parametrize("kubernetes", ["1.37", "latest", None])
def test_a_kubernetes_that_has_no_version_is_one_finding(kubernetes: str | None) -> None:
    """What the proxy mode would need of it cannot be said then."""
    chosen = inventories.VERSIONS | ({"kubernetes": kubernetes} if kubernetes else {"kubernetes": 1.37})
    found = versions(twinstack_versions=chosen, twinstack_proxy_mode="ipvs")
    assert [field for _level, field in found] == ["twinstack_versions.kubernetes"]
