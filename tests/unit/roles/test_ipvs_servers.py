"""The exporter of IPVS virtual servers without real servers."""

from __future__ import annotations

import importlib.util
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import endpoint
from ansible_collections.twinstack.core.plugins.module_utils.verify import parse as verify_parse

from tests.conftest import ROOT

TABLE = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> 0A42000B:192B      Masq    1      0          0
UDP  0A60000A:0035 rr
TCP  [fd66:0096:0000:0000:0000:0000:0000:000a]:0035 rr
  -> [fd66:0244:0000:0002:0000:0000:0000:0002]:0035      Masq    0      0          0
  -> [fd66:0244:0000:0002:0000:0000:0000:0003]:0035      Masq    1      0          0
TCP  [fd66:0096:0000:0000:0000:0000:0000:000b]:0050 rr
  -> [fd66:0244:0000:0002:0000:0000:0000:0004]:1F90      Masq    0      0          0
FWM  00000001 rr
  -> 0A42000B:192B      Masq    1      0          0
"""


@pytest.fixture(name="program")
def loaded() -> ModuleType:
    """The program as a module."""
    path = ROOT / "roles/observability/files/ipvs_servers.py"
    spec = importlib.util.spec_from_file_location("ipvs_servers", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_virtual_servers_without_real_servers_are_reported_by_family(program: ModuleType) -> None:
    table = program.parse(TABLE.splitlines())
    assert table == {
        ("TCP", "10.96.0.1", 443): 1,
        ("UDP", "10.96.0.10", 53): 0,
        ("TCP", "fd66:96::a", 53): 1,
        ("TCP", "fd66:96::b", 80): 0,  # one that takes no new connections is none
    }
    # It runs alone in a pod, so it cannot share the verification's reader; the two must agree.
    others = verify_parse.parse_ip_vs(TABLE.splitlines())
    told = {f"{protocol} {endpoint(address, port)}": servers for (protocol, address, port), servers in table.items()}
    assert told == {name: len(servers) for name, servers in others.items()}
    lines = program.page(table).splitlines()
    assert 'twinstack_ipvs_virtual_servers{ip_family="IPv4"} 2' in lines
    assert 'twinstack_ipvs_virtual_servers{ip_family="IPv6"} 2' in lines
    empty = [line for line in lines if line.startswith("twinstack_ipvs_without")]
    assert empty == [
        'twinstack_ipvs_without_real_servers{protocol="TCP",address="fd66:96::b",port="80",ip_family="IPv6"} 1',
        'twinstack_ipvs_without_real_servers{protocol="UDP",address="10.96.0.10",port="53",ip_family="IPv4"} 1',
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_it_answers_in_both_families_and_says_so_when_there_is_no_table(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    table = tmp_path / "ip_vs"
    table.write_text(TABLE)
    monkeypatch.setattr(program, "TABLE", str(table))
    server = program.Server(("::", 0), program.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://{host}:{server.server_address[1]}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert b"twinstack_ipvs_virtual_servers" in answer.read()
        table.unlink()
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(url, timeout=5)
        assert failed.value.code == 500
    finally:
        server.shutdown()
        server.server_close()
