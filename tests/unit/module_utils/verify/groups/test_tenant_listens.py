"""Group tenant-listens: a tenant's program listens in both families."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify import parse as verify_parse
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import tenant_listens
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Listens, Verdict

from tests.unit.module_utils.verify.groups.two_nodes import meshed, observed, red
from tests.unit.module_utils.verify.samples import probes_of, raw_observed

ANY4 = "   0: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534 0 1 1"  # 8081
ANY6 = ANY4.replace("00000000:1F91", f"{'0' * 32}:1F91")


def test_one_pod_of_each_kind_is_looked_at_once_for_each_family() -> None:
    probes = probes_of(tenant_listens.GROUP, observed())
    assert {name: probe.action for name, probe in probes.items()} == {
        f"tenant-listens/{family}/foo/shop/v1/8081": Listens(family, 8081) for family in ("IPv4", "IPv6")
    }
    # Of two that are made alike one is enough, and it is looked at by the container that has the port.
    assert {probe.runner for probe in probes.values()} == {"tenant/foo/shop-v1-1/web"}
    assert {(probe.source, probe.target) for probe in probes.values()} == {("worker1", "foo/shop")}
    assert probes_of(tenant_listens.GROUP, meshed()) == {}, "no tenants"


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


def test_a_program_on_ipv4_alone_is_red_in_ipv6_and_the_other_way_round() -> None:
    probes = probes_of(tenant_listens.GROUP, observed())
    sockets = verify_parse.SOCKETS
    assert red(probes, lambda _: [f"{sockets}:{ANY6}", f"{sockets}:0"]) == set(), ":: takes both"
    assert red(probes, lambda _: [f"{sockets}:{ANY4}", f"{sockets}:0"]) == {"tenant-listens/IPv6/foo/shop/v1/8081"}
    assert red(probes, lambda _: [f"{sockets}:{ANY6}", f"{sockets}:1"]) == {"tenant-listens/IPv4/foo/shop/v1/8081"}


def test_the_next_command_reads_the_programs_own_log() -> None:
    probe = probes_of(tenant_listens.GROUP, observed())["tenant-listens/IPv6/foo/shop/v1/8081"]
    command = tenant_listens.GROUP.next_command(probe, Verdict(False, "x"))
    assert command.endswith("kubectl -n foo logs shop-v1-1 -c web")
