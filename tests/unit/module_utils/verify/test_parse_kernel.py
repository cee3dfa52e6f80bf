"""What a kernel's tables and packet filter show, and the verdicts from it."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Listens, NoServers, Servers
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import (
    SOCKETS,
    judge_listens,
    judge_no_servers,
    judge_redirects,
    judge_servers,
    listening_families,
    parse_ip_vs,
)

IP_VS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr 
  -> 0A42000B:192B      Masq    1      4          0         
UDP  0A60000A:0035 rr 
  -> 0AF40203:0035      Masq    1      0          6         
  -> 0AF40202:0035      Masq    1      0          6         
TCP  [fd66:0096:0000:0000:0000:0000:0000:000a]:0035 rr 
  -> [fd66:0244:0000:0002:0000:0000:0000:0003]:0035      Masq    1      0          0         
  -> [fd66:0244:0000:0002:0000:0000:0000:0002]:0035      Masq    0      0          0         
TCP  0A600909:0050 rr 
FWM  00000001 rr 
  -> 0AF40203:0035      Masq    1      0          6         
""".splitlines()  # noqa: W291


def test_ip_vs_of_both_families() -> None:
    assert parse_ip_vs(IP_VS) == {
        "TCP 10.96.0.1:443": {"10.66.0.11:6443"},
        "UDP 10.96.0.10:53": {"10.244.2.2:53", "10.244.2.3:53"},
        "TCP [fd66:96::a]:53": {"[fd66:244:0:2::3]:53"},  # weight 0 takes no new connections
        "TCP 10.96.9.9:80": frozenset(),
    }


def test_an_empty_table_is_no_entry() -> None:
    assert parse_ip_vs(IP_VS[:3]) == {}
    assert parse_ip_vs([]) == {}


@pytest.mark.parametrize(
    ("wanted", "ok", "part"),
    [
        ({"TCP 10.96.0.1:443": frozenset({"10.66.0.11:6443"})}, True, "-> 1"),
        ({"TCP 10.96.0.7:443": frozenset({"10.66.0.11:6443"})}, False, "no entry TCP 10.96.0.7:443"),
        ({"TCP 10.96.9.9:80": frozenset({"10.244.1.4:8080"})}, False, "found real servers none"),
        ({"TCP [fd66:96::a]:53": frozenset({"[fd66:244:0:2::2]:53"})}, False, "expected [fd66:244:0:2::2]:53"),
    ],
)
def test_real_servers(wanted: dict[str, frozenset[str]], ok: bool, part: str) -> None:
    verdict = judge_servers(Servers(wanted), parse_ip_vs(IP_VS))
    assert verdict.ok is ok
    assert part in verdict.detail


def test_remaining_entries_are_reported_by_family() -> None:
    table = parse_ip_vs(IP_VS)
    assert "found 3 IPVS entries" in judge_no_servers(NoServers("IPv4"), table).detail
    assert "found 1 IPVS entries" in judge_no_servers(NoServers("IPv6"), table).detail
    assert judge_no_servers(NoServers("IPv6"), {"TCP 10.0.0.1:1": frozenset()}).ok


# --- rules -----------------------------------------------------------------------------------------------------

OUT = "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001"
IN = "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006"


@pytest.mark.parametrize(
    ("rules", "lacking"),
    [
        ([OUT, IN], ""),
        (["meta l4proto tcp redirect to :15001", "meta l4proto tcp redirect to :15006"], ""),
        ([OUT], "inbound TCP (to port 15006)"),
        ([IN, "-A ISTIO_OUTPUT -p tcp --dport 15001 -j RETURN"], "outbound TCP (to port 15001)"),
        (["iptables-save: Permission denied (you must be root)"], "Permission denied"),
        ([], "outbound TCP (to port 15001) and inbound TCP (to port 15006)"),
    ],
)
def test_rules_of_a_family_lead_to_both_of_the_proxys_ports(rules: list[str], lacking: str) -> None:
    found = judge_redirects(rules)
    assert found.ok is not bool(lacking)
    assert lacking in found.detail


# --- sockets --------------------------------------------------------------------------------------------------

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
    assert listening_families(lines, 8081) == families
    for family in FAMILIES:
        verdict = judge_listens(Listens(family, 8081), {SOCKETS: lines})
        assert verdict.ok is (family in families)
        if families and family not in families:
            (other,) = families
            assert f"listens on port 8081 in {other} only" in verdict.detail


def test_a_pod_whose_tables_cannot_be_read_is_skipped_and_said_to_be() -> None:
    assert judge_listens(Listens("IPv6", 80), {}).skip
