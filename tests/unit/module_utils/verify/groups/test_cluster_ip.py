"""Group cluster-ip: Services have addresses of exactly their families, and answer at them."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import cluster_ip
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Known

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, urls, without_address
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster

ADDRESSES = {
    "IPv4": {"dual-ipv4-first": "10.96.9.1", "dual-ipv6-first": "10.96.9.2", "only-ipv4": "10.96.9.3"},
    "IPv6": {
        "dual-ipv4-first": "[fd66:96::901]",
        "dual-ipv6-first": "[fd66:96::902]",
        "only-ipv6": "[fd66:96::904]",
    },
}


def test_pods_and_hosts_of_both_nodes_send_requests_to_each_address() -> None:
    probes = probes_of(cluster_ip.GROUP, plain())
    assert urls(probes) == {
        f"cluster-ip/{family}/{node}/{kind}/{name}": f"http://{address}:80/hostname"
        for family, services in ADDRESSES.items()
        for name, address in services.items()
        for node in ("cp1", "worker1")
        for kind in ("pod", "host")
    }
    given = {name for name in probes if "/cluster/" in name}
    assert len(given) == 2 * 4 and len(probes) == len(urls(probes)) + len(given)
    assert failed(probes) == {}


def test_a_service_of_one_family_gets_requests_in_that_family_by_pods_and_hosts() -> None:
    probes = probes_of(cluster_ip.GROUP, raw_cluster())
    assert probes["cluster-ip/IPv4/cluster/only-ipv6"].action == Known(True, "none, as requested")
    assert probes["cluster-ip/IPv6/cp1/host/only-ipv6"].runner == "host/cp1"
    assert probes["cluster-ip/IPv6/cp1/pod/only-ipv6"].action == Fetch(
        "http://[fd66:96::904]:80/hostname", bodies=frozenset({"pod-cp1", "pod-worker1", "pod-worker2"})
    )
    assert not [name for name in probes if name.startswith("cluster-ip/IPv4/cp1/") and name.endswith("only-ipv6")]


def test_silence_and_an_answer_of_nobody_behind_the_service_are_red() -> None:
    probes = probes_of(cluster_ip.GROUP, plain())
    assert red(probes, lambda _: answer("pod-worker1")) == set()
    assert red(probes, lambda _: answer("pod-worker1"), "fd66:96::902") == {
        f"cluster-ip/IPv6/{node}/{kind}/dual-ipv6-first" for node in ("cp1", "worker1") for kind in ("pod", "host")
    }
    assert red(probes, lambda _: answer("somebody")) == set(urls(probes))


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_service_that_got_no_address_of_a_family_is_red_in_that_family_alone(family: str) -> None:
    found = failed(probes_of(cluster_ip.GROUP, without_address(plain(), "dual-ipv4-first", family)))
    assert found.pop(f"cluster-ip/{family}/cluster/dual-ipv4-first") == f"found no {family} ClusterIP, expected one"
    assert found == {
        f"cluster-ip/{family}/{node}/{kind}/dual-ipv4-first": (
            f"not tried: Service dual-ipv4-first has no {family} address"
        )
        for node in ("cp1", "worker1")
        for kind in ("pod", "host")
    }


def test_an_address_that_nobody_requested_is_red() -> None:
    raw = plain()
    (only,) = (item for item in raw["services"] if item["metadata"]["name"] == "only-ipv6")
    only["spec"]["clusterIPs"].append("10.96.9.7")
    assert failed(probes_of(cluster_ip.GROUP, raw)) == {
        "cluster-ip/IPv4/cluster/only-ipv6": "found ClusterIP 10.96.9.7, expected none"
    }
