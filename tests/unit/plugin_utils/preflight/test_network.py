"""Routes into the cluster's networks, and packets that fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.plugin_utils.preflight.samples import SETTINGS, findings, fit_hosts

OTHER_ROUTE = {"destination": "10.244.3.0/24", "type": "unicast", "device": "eth1", "gateway": "", "protocol": "static"}


def test_a_host_route_into_the_pod_network_is_refused() -> None:
    hosts = fit_hosts()
    hosts[1].probe["routes"]["ipv4"].append(OTHER_ROUTE)
    assert findings(hosts) == [("error", "worker1", "pod_cidrs")]
    hosts[1].probe["routes"]["ipv4"][1] = {**OTHER_ROUTE, "device": "vxlan.calico", "protocol": "80"}
    assert findings(hosts) == []


def test_a_small_mtu_leaves_no_room_for_vxlan() -> None:
    hosts = fit_hosts()
    for host in hosts:
        host.probe["links"]["eth0"]["mtu"] = 1340
    assert {field for _, _, field in findings(hosts)} == {"mtu of eth0"}


@pytest.mark.parametrize(
    ("mtu", "encapsulation", "fits"),
    [
        (0, "VXLAN", True),
        (1430, "VXLAN", True),
        (1431, "VXLANCrossSubnet", False),
        (1500, "None", True),
        (1501, "None", False),
    ],
)
def test_the_pods_mtu_must_fit_into_the_links(mtu: int, encapsulation: str, fits: bool) -> None:
    expected = [] if fits else [("error", "cp1", "twinstack_mtu"), ("error", "worker1", "twinstack_mtu")]
    assert findings(fit_hosts(), replace(SETTINGS, mtu=mtu, encapsulation=encapsulation)) == expected
