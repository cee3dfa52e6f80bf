"""Group mesh-plain: from the mesh to Services outside it, through the caller's proxy."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_plain
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe

from tests.unit.module_utils.verify.groups.two_nodes import answer, meshed, plain, red, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_mesh

THROUGH = "HTTP/1.1 200 OK\nx-envoy-upstream-service-time: 3\n\npod-cp1"


def test_the_pod_in_the_mesh_calls_the_plain_services_by_each_of_their_addresses() -> None:
    raw = meshed()
    for item in raw["services"]:
        if item["metadata"]["namespace"] == "twinstack-verify-mesh":
            item["spec"]["clusterIPs"] = []  # those in the mesh are not meant
    probes = probes_of(mesh_plain.GROUP, raw)
    assert urls(probes) == {
        "mesh-plain/IPv4/worker1/dual-ipv4-first": "http://10.96.9.1:80/hostname",
        "mesh-plain/IPv4/worker1/dual-ipv6-first": "http://10.96.9.2:80/hostname",
        "mesh-plain/IPv4/worker1/only-ipv4": "http://10.96.9.3:80/hostname",
        "mesh-plain/IPv6/worker1/dual-ipv4-first": "http://[fd66:96::901]:80/hostname",
        "mesh-plain/IPv6/worker1/dual-ipv6-first": "http://[fd66:96::902]:80/hostname",
        "mesh-plain/IPv6/worker1/only-ipv6": "http://[fd66:96::904]:80/hostname",
    }
    assert {probe.runner for probe in probes.values()} == {"mesh/worker1"}
    assert probes_of(mesh_plain.GROUP, plain()) == {}


def test_what_goes_around_a_proxy_cannot_pass() -> None:
    """The header that the caller's own proxy adds is required wherever the answer could come without it."""
    probes = probes_of(mesh_plain.GROUP, raw_mesh())
    assert probes
    for probe in probes.values():
        assert isinstance(probe.action, Fetch)
        assert probe.action.contains == (mesh_plain.THROUGH_PROXY,) and probe.action.headers


def test_a_family_that_goes_around_the_proxy_is_red_though_it_is_answered() -> None:
    def around_the_proxy(probe: Probe) -> list[str]:
        return answer("HTTP/1.1 200 OK\n\npod-cp1" if probe.family == "IPv6" else THROUGH)

    probes = probes_of(mesh_plain.GROUP, meshed())
    assert red(probes, lambda _: answer(THROUGH)) == set()
    assert red(probes, around_the_proxy) == {name for name in probes if "/IPv6/" in name}
