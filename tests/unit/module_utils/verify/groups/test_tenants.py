"""Groups of tenants: their gateways, and whether their programs listen in both families."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import parse as verify_parse
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import tenant_gateway, tenant_listens
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Listens, Outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge_fetch
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch

from tests.unit.module_utils.verify.samples import ANSWERED, LAB, probes_of, raw_observed


@pytest.mark.parametrize("outside", [LAB, None])
def test_every_port_of_every_tenant_is_tried_on_every_node(outside: Outside | None) -> None:
    probes = probes_of(tenant_gateway.GROUP, raw_observed(), outside=outside)
    todo = [probe for probe in probes.values() if probe.family == "IPv6"]
    assert {probe.target for probe in todo} == {"foo-http", "foo-https", "bar-http"}
    pairs = 3 if outside else 6
    assert len(todo) == 3 * pairs
    assert {probe.runner.partition("/")[0] for probe in todo} == ({"outside"} if outside else {"host"})


def test_https_is_checked_against_the_tenants_own_certificate() -> None:
    probe = probes_of(tenant_gateway.GROUP, raw_observed())["tenant-gateway/IPv6/outside/cp1/foo-https"]
    assert isinstance(probe.action, Fetch)
    text = batch({7: probe.action})
    assert "A 7 UEVNCg==" in text
    assert 'C url = "https://foo.example:30443/"' in text
    assert 'C connect-to = "::[fd66::11]:30443"' in text
    assert 'C cacert = "authority7"' in text
    assert "insecure" not in text


def test_an_answer_of_a_gateway_without_routes_is_an_answer() -> None:
    action = Fetch("http://x/", codes=tenant_gateway.ANSWERS)
    assert judge_fetch(action, replace(ANSWERED, code=404), [], {}).ok
    verdict = judge_fetch(action, replace(ANSWERED, code=503), [], {})
    assert not verdict.ok
    assert "found HTTP 503" in verdict.detail


SOCKET = "   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 65534 0 1 1"
ANY4, ANY6 = "0" * 8, "0" * 32


@pytest.mark.parametrize(
    ("sockets", "only", "families"),
    [
        ({"tcp": [(ANY4, 8081, "0A")]}, "0", {"IPv4"}),
        ({"tcp6": [(ANY6, 8081, "0A")]}, "0", {"IPv4", "IPv6"}),
        ({"tcp6": [(ANY6, 8081, "0A")]}, "1", {"IPv6"}),
        ({"tcp6": [("B80D01200000000067452301EFCDAB89", 8081, "0A")]}, "0", {"IPv6"}),
        ({"tcp": [(ANY4, 8081, "0A")], "tcp6": [(ANY6, 8081, "0A")]}, "1", {"IPv4", "IPv6"}),
        ({"tcp": [(ANY4, 8080, "0A")], "tcp6": [(ANY6, 8081, "01")]}, "0", set()),
        # On loopback nobody else reaches it; an IPv4 address in IPv6's clothes is one of IPv4.
        ({"tcp": [("0100007F", 8081, "0A")], "tcp6": [("0" * 24 + "01000000", 8081, "0A")]}, "0", set()),
        ({"tcp6": [("0" * 16 + "FFFF0000" + "0402F40A", 8081, "0A")]}, "0", {"IPv4"}),
    ],
)
def test_a_program_of_one_family_is_found_by_the_kernels_tables(
    sockets: dict[str, list[tuple[str, int, str]]], only: str, families: set[str]
) -> None:
    """F38: a program on 0.0.0.0 is the program's fault, not the network's."""
    lines = []
    for name in ("tcp", "tcp6"):
        lines.append("  sl  local_address rem_address   st")
        for address, port, state in sockets.get(name, []):
            lines.append(SOCKET.format(address=address, port=port, state=state))
    lines.append(only)
    assert verify_parse.listening_families(lines, 8081) == families
    for family in FAMILIES:
        verdict = verify_parse.judge_listens(Listens(family, 8081), {verify_parse.SOCKETS: lines})
        assert verdict.ok is (family in families)
        if families and family not in families:
            (other,) = families
            assert f"listens on port 8081 in {other} only" in verdict.detail


def test_a_service_of_one_family_requests_that_family_alone() -> None:
    raw = raw_observed()
    raw["tenant_services"][-1]["spec"]["ipFamilies"] = ["IPv6"]
    assert [probe.family for probe in probes_of(tenant_listens.GROUP, raw).values()] == ["IPv6"]


def test_a_pod_that_was_replaced_is_looked_at_by_its_successor() -> None:
    before = list(probes_of(tenant_listens.GROUP, raw_observed()))
    raw = raw_observed()
    for item in raw["pods"]:
        if item["metadata"]["name"].startswith("shop-"):
            item["metadata"]["name"] += "-next"
    assert list(probes_of(tenant_listens.GROUP, raw)) == before != []


def test_a_pod_whose_tables_cannot_be_read_is_skipped_and_said_to_be() -> None:
    assert verify_parse.judge_listens(Listens("IPv6", 80), {}).skip
