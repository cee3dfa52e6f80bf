"""What the mesh's groups have in common."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import (
    BY_MUTUAL_TLS,
    CERTIFICATE_PATH,
    service_probe,
    services_of,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Known, Service
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import mesh_services

from tests.unit.module_utils.verify.samples import SPACE, sample_cluster

NODE = sample_cluster().nodes[1]
BOTH = Service(SPACE, "shop", {"IPv4": "10.96.1.1", "IPv6": "fd66:96::1"})


def test_services_of_a_family_are_those_that_ask_for_an_address_of_it() -> None:
    assert services_of("IPv4") == ["dual-ipv4-first", "dual-ipv6-first", "only-ipv4"]
    assert services_of("IPv6") == ["dual-ipv4-first", "dual-ipv6-first", "only-ipv6"]
    created = {item["metadata"]["name"]: item["spec"]["ipFamilies"] for item in mesh_services()}
    for family in ("IPv4", "IPv6"):
        assert all(family in created[name] for name in services_of(family))


def test_a_request_goes_to_the_services_address_of_the_family() -> None:
    like = replace(BY_MUTUAL_TLS, send=("a: b",))
    for family, host in (("IPv4", "10.96.1.1"), ("IPv6", "[fd66:96::1]")):
        found = service_probe("g", family, NODE, "mesh", BOTH, "a title", like, CERTIFICATE_PATH)
        assert found.action == Fetch(
            f"http://{host}:80/header?key=X-Forwarded-Client-Cert", contains=("spiffe://",), send=("a: b",)
        )
        assert (found.id, found.runner) == (f"g/{family}/worker1/shop", "mesh/worker1")
        assert (found.title, found.address) == ("a title", host.strip("[]"))


def test_a_service_without_an_address_of_the_family_is_a_failed_probe_there_alone() -> None:
    only = replace(BOTH, addresses={"IPv4": "10.96.1.1"})
    found = {
        family: service_probe("g", family, NODE, "pod", only, "t", BY_MUTUAL_TLS, "/").action
        for family in ("IPv4", "IPv6")
    }
    assert isinstance(found["IPv4"], Fetch)
    assert found["IPv6"] == Known(False, "not tried: shop has no IPv6 address")
