"""Sizes that are tried, and the MTU of the link with an address."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe import peers


def test_sizes_start_at_the_link_and_end_at_the_minimum_of_ipv6() -> None:
    assert peers.candidate_sizes(9000)[0] == 9000
    assert peers.candidate_sizes(1450) == [1450, 1420, 1400, 1380, 1340, 1280]


def test_link_mtus_compares_addresses_not_spellings() -> None:
    links = {"e0": {"mtu": 1450, "addresses": [{"family": "ipv6", "address": "fd09::1"}]}}
    assert peers.link_mtus({"ipv4": "10.0.0.1", "ipv6": "fd09:0::0001"}, links) == {"ipv4": 0, "ipv6": 1450}
