"""Group api-server: pods reach the API by its Service and by every control plane."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import api_server
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, skips, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster


def test_pods_of_both_nodes_use_every_address_of_the_api() -> None:
    probes = probes_of(api_server.GROUP, plain())
    assert urls(probes) == {
        "api-server/IPv4/cp1/kubernetes": "https://10.96.0.1:443/livez",
        "api-server/IPv4/cp1/cp1": "https://10.66.0.11:6443/livez",
        "api-server/IPv4/worker1/kubernetes": "https://10.96.0.1:443/livez",
        "api-server/IPv4/worker1/cp1": "https://10.66.0.11:6443/livez",
        "api-server/IPv6/cp1/cp1": "https://[fd66::11]:6443/livez",
        "api-server/IPv6/worker1/cp1": "https://[fd66::11]:6443/livez",
    }
    for probe in probes.values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.token and not probe.action.verify, "the certificate is the next group's"
        assert probe.runner == f"pod/{probe.source}"


def test_the_api_is_reached_in_both_families_though_its_service_has_one() -> None:
    ids = set(probes_of(api_server.GROUP, raw_cluster()))
    assert "api-server/IPv4/worker1/kubernetes" in ids
    assert "api-server/IPv6/worker1/kubernetes" not in ids
    assert "api-server/IPv6/worker1/cp1" in ids


def test_where_ipv6_is_first_the_service_is_reached_by_ipv6() -> None:
    raw = plain()
    raw["services"][0]["spec"]["clusterIPs"] = ["fd66:96::1"]
    ids = set(probes_of(api_server.GROUP, raw))
    assert "api-server/IPv6/worker1/kubernetes" in ids
    assert "api-server/IPv4/worker1/kubernetes" not in ids


def test_a_silent_address_and_a_refused_token_are_red() -> None:
    probes = probes_of(api_server.GROUP, plain())
    assert red(probes, lambda _: answer("ok")) == set()
    assert red(probes, lambda _: answer("ok"), "fd66::11") == {
        "api-server/IPv6/cp1/cp1",
        "api-server/IPv6/worker1/cp1",
    }
    assert red(probes, lambda _: answer("Unauthorized", 401)) == set(probes)


def test_a_control_plane_without_ipv6_is_red_in_ipv6_alone() -> None:
    raw = plain()
    del raw["nodes"][0]["status"]["addresses"][1]
    assert failed(probes_of(api_server.GROUP, raw)) == {
        f"api-server/IPv6/{node}/cp1": "not tried: node cp1 has no IPv6 address" for node in ("cp1", "worker1")
    }


def test_where_no_node_carries_the_api_the_family_without_an_address_is_skipped() -> None:
    raw = plain()
    raw["nodes"][0]["metadata"]["labels"] = {}
    (why,) = skips(api_server.GROUP, raw)
    assert why.startswith("IPv6: no control plane node")
    assert {name.split("/")[1] for name in probes_of(api_server.GROUP, raw)} == {"IPv4"}
