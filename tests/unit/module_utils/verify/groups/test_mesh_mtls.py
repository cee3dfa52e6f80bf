"""Group mesh-mtls: Services in the mesh by each address, by mutual TLS."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_mtls
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, meshed, plain, red, urls, without_address
from tests.unit.module_utils.verify.samples import probes_of, raw_mesh

SHOWN = "By=spiffe://cluster.local/ns/x/sa/y;Hash=1"
PATH = "/header?key=X-Forwarded-Client-Cert"


def test_the_pod_on_the_worker_calls_every_service_by_each_of_its_addresses() -> None:
    probes = probes_of(mesh_mtls.GROUP, meshed())
    assert urls(probes) == {
        "mesh-mtls/IPv4/worker1/dual-ipv4-first": f"http://10.96.9.1:80{PATH}",
        "mesh-mtls/IPv4/worker1/dual-ipv6-first": f"http://10.96.9.2:80{PATH}",
        "mesh-mtls/IPv4/worker1/only-ipv4": f"http://10.96.9.3:80{PATH}",
        "mesh-mtls/IPv6/worker1/dual-ipv4-first": f"http://[fd66:96::901]:80{PATH}",
        "mesh-mtls/IPv6/worker1/dual-ipv6-first": f"http://[fd66:96::902]:80{PATH}",
        "mesh-mtls/IPv6/worker1/only-ipv6": f"http://[fd66:96::904]:80{PATH}",
    }
    assert {probe.runner for probe in probes.values()} == {"mesh/worker1"}
    assert probes_of(mesh_mtls.GROUP, plain()) == {}


def test_requests_by_mutual_tls_are_the_traffic_that_telemetry_shows() -> None:
    assert mesh_mtls.GROUP.traffic
    for probe in probes_of(mesh_mtls.GROUP, raw_mesh()).values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.contains == ("spiffe://",) and probe.action.send


def test_each_family_of_each_node_has_a_trace_of_its_own() -> None:
    sent: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for probe in probes_of(mesh_mtls.GROUP, raw_mesh()).values():
        assert isinstance(probe.action, Fetch)
        sent.setdefault(probe.action.send, set()).add((probe.family, probe.source))
    assert sorted(sent.values(), key=str) == sorted(
        ({(family, node)} for family in ("IPv4", "IPv6") for node in ("worker1", "worker2")), key=str
    )


def test_plain_text_in_one_family_is_red_in_that_family_alone() -> None:
    """The called pod answers, but no certificate was shown to it."""

    def around_the_proxy(probe: Probe) -> list[str]:
        return answer("" if probe.family == "IPv6" else SHOWN)

    probes = probes_of(mesh_mtls.GROUP, meshed())
    assert red(probes, lambda _: answer(SHOWN)) == set()
    assert red(probes, around_the_proxy) == {name for name in probes if "/IPv6/" in name}
    assert red(probes, lambda _: answer(SHOWN), "10.96.9.3") == {"mesh-mtls/IPv4/worker1/only-ipv4"}


def test_a_service_that_lost_an_address_is_red_in_that_family_alone() -> None:
    assert failed(probes_of(mesh_mtls.GROUP, without_address(meshed(), "dual-ipv4-first", "IPv6"))) == {
        "mesh-mtls/IPv6/worker1/dual-ipv4-first": "not tried: dual-ipv4-first has no IPv6 address"
    }
