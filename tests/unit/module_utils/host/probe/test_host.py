"""What preflight wants to know of a host: out of sample texts, and of this very machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import kernel as host_probe_kernel


def test_os_release_with_and_without_quotes() -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n# NAME=x\n'
    assert host_probe.parse_os_release(text) == {
        "id": "debian",
        "version": "13",
        "name": "Debian GNU/Linux 13 (trixie)",
    }


def test_meminfo_is_counted_in_mebibytes() -> None:
    text = "MemTotal:        2048000 kB\nMemFree: 1 kB\nMemAvailable:    1024000 kB\n"
    assert host_probe.parse_meminfo(text) == {"total_mb": 2000, "available_mb": 1000}


@pytest.mark.parametrize(
    ("name", "stale"), [("cali12ab", True), ("kube-ipvs0", True), ("eth0", False), ("cni01", False)]
)
def test_stale_links(name: str, stale: bool) -> None:
    assert host_probe.is_stale_link(name) is stale


def test_this_machine_is_read_in_under_a_second_and_as_plain_data() -> None:
    started = time.monotonic()
    found = host_probe.observe(6443, "/var/lib/no-such-folder/prometheus")
    assert time.monotonic() - started < 3  # a second when idle
    assert json.loads(json.dumps(found))["architecture"] == os.uname().machine
    assert (
        found["memory"]["total_mb"] > 0 and found["cpus"] > 0 and found["metrics_disk_gb"] >= found["disk_free_gb"] > 0
    )
    assert "lo" in found["links"]
    assert set(found["features"]) == set(host_probe_kernel.FEATURES)


def test_texts_that_say_nothing_give_empty_values() -> None:
    assert host_probe.parse_os_release("") == {"id": "", "version": "", "name": ""}
    assert host_probe.parse_meminfo("") == {"total_mb": 0, "available_mb": 0}
    assert host_probe.read("/no/such/file") == ""


@pytest.mark.parametrize(
    ("pattern", "there", "other"),
    [("flannel.*", "flannel.1", "flannel"), ("cilium_*", "cilium_host", "cilium"), ("vxlan.calico",) * 2 + ("vxlan",)],
)
def test_a_stale_link_is_whole_or_begins_so(pattern: str, there: str, other: str) -> None:
    assert pattern in host_probe.STALE_LINKS
    assert host_probe.is_stale_link(there) and not host_probe.is_stale_link(other)


def files(root: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str]) -> None:
    """Let the probe read these texts and no other file."""
    monkeypatch.setattr(host_probe, "read", lambda path: texts.get(path, ""))
    monkeypatch.setattr(
        host_probe, "STALE_PATHS", tuple(str(root / name) for name in ("full", "empty", "file", "none"))
    )


def link(*addresses: str) -> dict[str, Any]:
    """A link with these addresses."""
    return {"addresses": [{"address": address} for address in addresses]}


def test_traces_of_an_earlier_cluster_are_counted_in_both_families(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty directory and a tunl0 without address are there on many a host."""
    ip_vs = "IP Virtual Server\nProt LocalAddress\n  -> RemoteAddress\nTCP  0A600001:01BB rr\n  -> 0A420001:192B\n"
    ip_vs += "UDP  [fd66:0096:0000:0000:0000:0000:0000:000a]:0035 rr\nFWM  00000001 rr\n"
    files(tmp_path, monkeypatch, {"/proc/net/ip_vs": ip_vs})
    (tmp_path / "full" / "inside").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").symlink_to("nowhere")
    links = {"eth0": link("10.0.0.1", "fd00::1"), "tunl0": link(), "kube-ipvs0": link(), "cali12": link()}
    assert host_probe.stale_state(links) == {
        "paths": [str(tmp_path / "full"), str(tmp_path / "file")],
        "links": ["cali12", "kube-ipvs0"],
        "ipvs_services": 3,
    }
    assert host_probe.stale_state({"tunl0": link("10.244.0.1")})["links"] == ["tunl0"]


def test_swap_is_named_by_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "Filename\tType\n/dev/sda2 partition 1 0 -2\n/swapfile file 1 0 -3\n"
    files(tmp_path, monkeypatch, {"/proc/swaps": listed})
    assert host_probe.swaps() == ["/dev/sda2", "/swapfile"]
    files(tmp_path, monkeypatch, {})
    assert host_probe.swaps() == []


def test_settings_of_links_with_an_address_are_read_in_both_families(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of a CNI plugin's links, and not what this kernel does not have."""
    texts = {
        "/proc/sys/net/ipv4/ip_forward": "1\n",
        "/proc/sys/net/ipv4/conf/eth0/forwarding": "1\n",
        "/proc/sys/net/ipv6/conf/eth0/accept_ra": "2\n",
        "/proc/sys/net/ipv6/conf/all/disable_ipv6": "0\n",
        "/proc/sys/net/ipv6/conf/eth1/accept_ra": "1\n",
        "/proc/sys/net/ipv6/conf/cali12/accept_ra": "1\n",
    }
    files(tmp_path, monkeypatch, texts)
    links = {"eth0": link("fd00::1"), "eth1": link(), "cali12": link("fe80::1")}
    assert host_probe.sysctls(links) == {
        "net/ipv4/ip_forward": "1",
        "net/ipv4/conf/eth0/forwarding": "1",
        "net/ipv6/conf/eth0/accept_ra": "2",
        "net/ipv6/conf/all/disable_ipv6": "0",
    }


def test_a_host_says_whose_it_is_and_when_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, load = tmp_path / "host.json", host_record.load
    monkeypatch.setattr(host_record, "RECORD_PATH", str(path))
    monkeypatch.setattr(host_record, "load", lambda: load(str(path)))
    assert host_probe.own_install() == {"present": False, "error": "", "cluster": "", "node": None}
    path.write_text('{"cluster": "demo"}', encoding="utf-8")
    assert host_probe.own_install() == {"present": True, "error": "", "cluster": "demo", "node": None}
    path.write_text("{", encoding="utf-8")
    found = host_probe.own_install()
    assert found["present"] and found["cluster"] == "" and str(path) in found["error"]


def test_a_path_that_is_not_there_yet_is_measured_where_it_will_be(tmp_path: Path) -> None:
    free, size = host_probe.disk_gb(str(tmp_path / "a" / "b"))
    assert size == host_probe.disk_gb(str(tmp_path))[1] >= free > 0
