"""Ways between hosts, clocks, and what must be equal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts

from tests.unit.plugin_utils.preflight.samples import SETTINGS, findings, fit_hosts, port


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("path_mtu", 1400, "{} path MTU"),
        ("tcp", False, "{} TCP"),
        ("vxlan", False, "{} UDP 4789 (VXLAN)"),
        ("reachable", False, "{} reachability"),
    ],
)
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_broken_path_is_named_with_direction_and_family(key: str, value: Any, field: str, family: str) -> None:
    hosts = fit_hosts()
    hosts[0].peers["peers"]["worker1"][family][key] = value
    assert findings(hosts) == [("error", "cp1 -> worker1", field.format(family))]


def test_a_skipped_vxlan_port_is_no_finding() -> None:
    hosts = fit_hosts()
    hosts[0].peers["peers"]["worker1"]["ipv6"].update(vxlan=False, vxlan_skipped="taken on worker1")
    assert findings(hosts) == []


def test_without_encapsulation_vxlan_is_not_required() -> None:
    hosts = fit_hosts()
    hosts[0].probe["features"]["vxlan"]["state"] = "absent"
    hosts[0].probe["ports"] = port("udp", 4789, "other")
    hosts[0].peers["peers"]["worker1"]["ipv4"]["vxlan"] = False
    assert findings(hosts, replace(SETTINGS, encapsulation="None")) == []


def test_a_clock_offset_is_reported_once_per_pair() -> None:
    hosts = fit_hosts()
    for family in ("ipv4", "ipv6"):
        hosts[0].peers["peers"]["worker1"][family]["clock_offset_seconds"] = -3.5
        hosts[1].peers["peers"]["cp1"][family]["clock_offset_seconds"] = 3.5
    (finding,) = check_hosts(hosts, SETTINGS)
    assert finding.where == "cp1 -> worker1"
    assert finding.found == "worker1 is 3.500 s behind"


def test_what_must_be_equal_on_all_hosts() -> None:
    hosts = fit_hosts()
    hosts[1].probe["links"]["eth0"]["mtu"] = 9000
    hosts[1].probe["machine_id"] = hosts[0].probe["machine_id"]
    assert findings(hosts) == [
        ("error", "worker1", "mtu of the ipv4 link"),
        ("error", "worker1", "mtu of the ipv6 link"),
        ("error", "cp1, worker1", "/etc/machine-id"),
    ]
