"""Sizes of the Services' networks, by themselves."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import FALLBACK, Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import networks


@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        ("10.96.0.0/11", "/12 to /24: kube-apiserver takes no wider one"),
        ("10.96.0.0/12", ""),
        ("10.96.0.0/24", ""),
        ("10.96.0.0/25", "/12 to /24: 256 addresses or more"),
        ("fd20:96::/107", "/108 to /120: kube-apiserver takes no wider one"),
        ("fd20:96::/108", ""),
        ("fd20:96::/120", ""),
        ("fd20:96::/121", "/108 to /120: 256 addresses or more"),
    ],
)
def test_service_networks_have_a_size_that_the_api_server_takes(cidr: str, reason: str) -> None:
    network = ip_network(cidr)
    found = networks.check_services(Inventory({"all": ()}, {}, {}), {("service", f"ipv{network.version}"): network})
    assert [(one.where, one.found, one.expected) for one in found] == [(FALLBACK, cidr, reason)] * bool(reason)
