"""Group certificate: TLS to the API server by every address from every host, and by every name."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import certificate
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Verdict

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, skips, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster

NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "api.twinstack.internal",
)
VIA = {"IPv4": "10.66.0.11:6443", "IPv6": "[fd66::11]:6443"}


def test_addresses_are_tried_from_both_hosts_and_names_on_the_control_plane() -> None:
    probes = probes_of(certificate.GROUP, plain())
    by_address = {
        f"certificate/{family}/{node}/cp1": Fetch(f"https://{via}/livez")
        for family, via in VIA.items()
        for node in ("cp1", "worker1")
    }
    by_name = {
        f"certificate/{family}/cp1/cp1/{name}": Fetch(f"https://{name}:6443/livez", connect_to=via)
        for family, via in VIA.items()
        for name in NAMES
    }
    assert {name: probe.action for name, probe in probes.items()} == by_address | by_name
    assert {probe.runner for probe in probes.values()} == {"host/cp1", "host/worker1"}


def test_certificate_covers_addresses_from_every_host_and_names_in_both_families() -> None:
    probes = probes_of(certificate.GROUP, raw_cluster())
    assert probes["certificate/IPv6/worker1/cp1"].action == Fetch("https://[fd66::11]:6443/livez")
    for family, via in (("IPv4", "10.66.0.11:6443"), ("IPv6", "[fd66::11]:6443")):
        action = probes[f"certificate/{family}/cp1/cp1/api.twinstack.internal"].action
        assert action == Fetch("https://api.twinstack.internal:6443/livez", connect_to=via)


def test_an_address_that_the_certificate_promises_is_tried_in_its_own_family() -> None:
    raw = plain()
    raw["kubeadm"]["apiServer"]["certSANs"] += ["192.0.2.7", "2001:db8::7"]
    found = urls(probes_of(certificate.GROUP, raw))
    assert found["certificate/IPv4/cp1/cp1/192.0.2.7"] == "https://192.0.2.7:6443/livez"
    assert found["certificate/IPv6/cp1/cp1/2001:db8::7"] == "https://[2001:db8::7]:6443/livez"
    assert "certificate/IPv6/cp1/cp1/192.0.2.7" not in found
    assert "certificate/IPv4/cp1/cp1/2001:db8::7" not in found


def test_a_silent_address_is_red_for_names_too_in_that_family() -> None:
    probes = probes_of(certificate.GROUP, plain())
    assert red(probes, lambda _: answer("ok")) == set()
    assert red(probes, lambda _: answer("ok"), "10.66.0.11") == {name for name in probes if "/IPv4/" in name}


def test_a_name_that_the_certificate_lacks_is_red_in_both_families() -> None:
    refused = ["curl:0\t000\t60\t0.1\t\t\t0\t0\tSSL: no alternative certificate subject name matches"]
    probes = probes_of(certificate.GROUP, plain())
    found = red(probes, lambda probe: refused if probe.address == "kubernetes.default" else answer("ok"))
    assert found == {f"certificate/{family}/cp1/cp1/kubernetes.default" for family in VIA}
    (command,) = {certificate.GROUP.next_command(probes[name], Verdict(False, "x")) for name in found}
    assert command.startswith("on cp1: openssl x509 ")


def test_a_control_plane_without_ipv6_and_a_cluster_without_one() -> None:
    raw = plain()
    del raw["nodes"][0]["status"]["addresses"][1]
    found = failed(probes_of(certificate.GROUP, raw))
    assert set(found.values()) == {"not tried: node cp1 has no IPv6 address"}
    # The address itself is then a name like any other that kubeadm's certSANs promise.
    assert {f"certificate/IPv6/cp1/cp1/{name}" for name in (*NAMES, "fd66::11")} <= set(found)
    assert {name.split("/")[1] for name in found} == {"IPv6"}
    raw["nodes"][0]["metadata"]["labels"] = {}
    assert skips(certificate.GROUP, raw) == ["no node carries the API server"]
