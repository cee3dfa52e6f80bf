"""Hosts and what was found on them, as data."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, link_of, same_address

from tests.unit.plugin_utils.preflight.samples import SETTINGS, address, fit_hosts


def host(ipv4: str = "10.66.0.11", ipv6: str = "fd66::11") -> Host:
    """cp1 with other addresses in the inventory."""
    fit = fit_hosts()[0]
    return Host(fit.name, {"ipv4": ipv4, "ipv6": ipv6}, fit.probe, fit.peers)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("fd66::11", "FD66:0:0:0:0:0:0:11", True),
        ("fd66::11", "fd66::0011", True),
        ("fd66::11", "fd66::17", False),
        ("10.66.0.11", "10.66.0.11", True),
        ("10.66.0.11", "10.66.0.12", False),
        ("10.66.0.11", "::ffff:10.66.0.11", False),
    ],
)
def test_addresses_are_compared_by_value(one: str, other: str, same: bool) -> None:
    assert same_address(one, other) is same is same_address(other, one)


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="cp1"):
        same_address("cp1", "10.66.0.11")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_link_of_an_address_is_found_in_both_families(family: str) -> None:
    """However the inventory spells it."""
    found = link_of(host(ipv6="fd66:0:0::0011"), family)
    assert found is not None
    name, link, entry = found
    assert (name, link["mtu"], entry["family"]) == ("eth0", 1500, family)
    assert entry["address"] == {"ipv4": "10.66.0.11", "ipv6": "fd66::11"}[family]


def test_an_address_is_on_the_link_that_has_it_and_on_no_other() -> None:
    one = host()
    second = {"mtu": 9000, "addresses": [address("ipv4", "10.66.0.99"), address("ipv6", "fd66::99")]}
    links = {"bridge": {"addresses": []}, **one.probe["links"], "eth1": second}
    moved = Host("cp1", {"ipv4": "10.66.0.99", "ipv6": "fd66::99"}, {**one.probe, "links": links}, {})
    for family in ("ipv4", "ipv6"):
        found = link_of(moved, family)
        assert found is not None and (found[0], found[1]["mtu"]) == ("eth1", 9000)


def test_an_address_that_is_nowhere_is_on_no_link() -> None:
    """Nor is one of a family on a link that has the other alone."""
    elsewhere = host(ipv4="10.66.0.200", ipv6="fd66::200")
    assert link_of(elsewhere, "ipv4") is link_of(elsewhere, "ipv6") is None
    one = host()
    one.probe["links"]["eth0"]["addresses"] = [address("ipv4", "10.66.0.11")]
    assert link_of(one, "ipv6") is None and link_of(one, "ipv4") is not None


@pytest.mark.parametrize("present", [True, False])
def test_a_host_is_ours_once_this_project_has_begun_on_it(present: bool) -> None:
    """Whether or not its record names a cluster yet."""
    one = fit_hosts()[0]
    one.probe["own"] = {"present": present, "error": "", "cluster": ""}
    assert one.ours is present


def test_nobody_keeps_metrics_unless_told() -> None:
    assert (SETTINGS.metrics_host, SETTINGS.metrics_size) == ("", "")
