"""Group mesh-name: Services in the mesh by name, looked up in each family."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_name
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import curl_config

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, meshed, plain, red, without_address
from tests.unit.module_utils.verify.samples import probes_of

SHOWN = "By=spiffe://cluster.local/ns/x/sa/y;Hash=1"
SERVICES = {
    "IPv4": ("dual-ipv4-first", "dual-ipv6-first", "only-ipv4"),
    "IPv6": ("dual-ipv4-first", "dual-ipv6-first", "only-ipv6"),
}


def test_the_pod_on_the_worker_calls_every_name_in_each_family() -> None:
    path = "/header?key=X-Forwarded-Client-Cert"
    probes = probes_of(mesh_name.GROUP, meshed())
    assert {name: probe.action for name, probe in probes.items()} == {
        f"mesh-name/{family}/worker1/{name}": Fetch(
            f"http://{name}.twinstack-verify-mesh.svc.cluster.local:80{path}", family, contains=("spiffe://",)
        )
        for family, names in SERVICES.items()
        for name in names
    }
    assert {probe.runner for probe in probes.values()} == {"mesh/worker1"}
    for probe in probes.values():
        assert isinstance(probe.action, Fetch)
        assert probe.family.lower() in curl_config(1, probe.action), "else curl takes whichever family answers"
    assert probes_of(mesh_name.GROUP, plain()) == {}


def test_a_family_that_goes_around_the_proxies_is_red_alone() -> None:
    def around_the_proxy(probe: Probe) -> list[str]:
        return answer("" if probe.family == "IPv4" else SHOWN)

    probes = probes_of(mesh_name.GROUP, meshed())
    assert red(probes, lambda _: answer(SHOWN)) == set()
    assert red(probes, around_the_proxy) == {name for name in probes if "/IPv4/" in name}


def test_a_service_without_an_address_of_the_family_is_red_there_by_its_name_too() -> None:
    assert failed(probes_of(mesh_name.GROUP, without_address(meshed(), "dual-ipv6-first", "IPv4"))) == {
        "mesh-name/IPv4/worker1/dual-ipv6-first": "not tried: dual-ipv6-first has no IPv4 address"
    }
