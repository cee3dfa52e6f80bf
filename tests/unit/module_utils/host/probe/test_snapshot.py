"""Pictures of a host: what is in them, and what differs between two."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot as host_probe_snapshot

from tests.conftest import ROOT


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="makes a network namespace")
def test_two_snapshots_are_equal_until_something_changes() -> None:
    script = """
import json, subprocess
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot
first = snapshot.take()
second = snapshot.take()
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "route", "add", "blackhole", "10.9.0.0/16"], check=True)
subprocess.run(["ip", "-6", "route", "add", "blackhole", "fd09::/56"], check=True)
print(json.dumps([snapshot.differences(first, second), snapshot.differences(second, snapshot.take())]))
"""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections")},
    )
    untouched, changed = json.loads(done.stdout)
    assert untouched == []
    text = "\n".join(changed)
    assert "routes: ipv4 blackhole 10.9.0.0/16: new" in text
    assert "routes: ipv6 blackhole fd09::/56" in text
    assert "links: lo: was" in text


def test_empty_accepting_tables_and_counters_are_no_difference() -> None:
    text = "*nat\n:INPUT ACCEPT [5:300]\nCOMMIT\n*filter\n:FORWARD ACCEPT [1:2]\n[7:420] -A FORWARD -j ACCEPT\nCOMMIT\n"
    assert host_probe_snapshot.normalised_save("t", text) == {"t filter 00001 -A FORWARD -j ACCEPT": "rule"}


def test_differences_name_subject_and_both_values() -> None:
    before = {"files": {"/etc/a": "1", "/etc/b": "1"}}
    after = {"files": {"/etc/a": "2", "/etc/c": "1"}}
    assert host_probe_snapshot.differences(before, after) == [
        "files: /etc/a: was 1, is 2",
        "files: /etc/b: gone (was 1)",
        "files: /etc/c: new (1)",
    ]


def test_files_are_known_by_kind_owner_mode_and_content(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o750)
    (tmp_path / "folder" / "file").write_text("x", encoding="utf-8")
    (tmp_path / "folder" / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("folder/file")
    owner = f"{os.getuid()}:{os.getgid()}"
    found = host_probe_snapshot.files(str(tmp_path))
    assert found == {
        str(tmp_path / "folder"): f"drwxr-x--- {owner}",
        str(tmp_path / "folder" / "file"): f"-rw-r----- {owner} {hashlib.sha256(b'x').hexdigest()}",
        str(tmp_path / "link"): f"lrwxrwxrwx {owner} -> folder/file",
    }


def test_only_entries_that_stay_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cni").mkdir()
    (tmp_path / "tool").touch()
    monkeypatch.setattr(host_probe_snapshot, "LISTED_DIRECTORIES", (str(tmp_path), str(tmp_path / "none")))
    assert host_probe_snapshot.entries() == {str(tmp_path / "cni"): "directory", str(tmp_path / "tool"): "file"}


@pytest.mark.parametrize(
    ("path", "moves"),
    [("/run/sshd", True), ("/run/utmp", True), ("/run/containerd", False), ("/var/lib/kubelet", False)],
)
def test_entries_that_come_and_go_by_themselves(path: str, moves: bool) -> None:
    assert bool(host_probe_snapshot.VOLATILE_ENTRIES.match(path)) is moves


def test_mounts_are_points_with_their_file_system() -> None:
    text = (
        "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "30 22 0:5 / /run/user/1000 rw - tmpfs tmpfs rw\n"
        "31 22 0:6 / /var/lib/kubelet/pods/x rw master:2 - tmpfs tmpfs rw,size=1k\n"
    )
    assert host_probe_snapshot.mounts(text) == {"/": "ext4 /dev/vda", "/var/lib/kubelet/pods/x": "tmpfs tmpfs"}


def test_a_link_is_one_line_with_the_addresses_of_both_families() -> None:
    addresses = [{"address": "fd00::1", "prefix": 64}, {"address": "10.0.0.1", "prefix": 24}]
    link = {"kind": "", "mtu": 1500, "up": True, "addresses": addresses}
    assert host_probe_snapshot.links({"eth0": link}) == {"eth0": "kind=- mtu=1500 up=True 10.0.0.1/24 fd00::1/64"}


def test_routes_lose_what_changes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "-4 route": "default via 10.0.0.254 dev eth0 linkdown\n",
        "-6 route": "default via fe80::1 dev eth0 proto ra expires 1790sec pref medium\n",
        "-4 rule": "0:\tfrom all lookup local\n",
        "-6 rule": "",
    }
    monkeypatch.setattr(host_probe_network, "output", lambda argv: said[f"{argv[1]} {argv[2]}"])
    assert host_probe_snapshot.routes() == {
        "ipv4 default via 10.0.0.254 dev eth0": "route",
        "ipv6 default via fe80::1 dev eth0 proto ra pref medium": "route",
        "ipv4 rule 0:\tfrom all lookup local": "rule",
    }


def test_nft_rules_keep_their_order_and_lose_handles_and_counters() -> None:
    def rules(handle: int, *verdicts: str) -> str:
        counter = {"counter": {"packets": handle, "bytes": handle}}
        items: list[dict[str, object]] = [
            {"metainfo": {"version": "1"}},
            {"table": {"family": "inet", "name": "t", "handle": handle}},
            {"chain": {"family": "inet", "table": "t", "name": "in", "policy": "accept", "handle": handle}},
        ]
        for verdict in verdicts:
            expression = [counter, {verdict: None}]
            items.append({"rule": {"family": "inet", "table": "t", "handle": handle, "expr": expression}})
        return json.dumps({"nftables": items})

    first = host_probe_snapshot.normalised_nft(rules(1, "accept", "drop"))
    assert list(first) == ["nft inet t 00001 rule", "nft inet t 00002 rule"]
    assert host_probe_snapshot.normalised_nft(rules(7, "accept", "drop")) == first
    assert host_probe_snapshot.normalised_nft(rules(1, "drop", "accept")) != first
    assert host_probe_snapshot.normalised_nft("no JSON") == {"nft": "unreadable"}
    assert host_probe_snapshot.normalised_nft("") == {}


def test_a_chain_that_drops_and_the_order_of_rules_are_kept() -> None:
    text = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j LOG\n*nat\n-A OUTPUT -j RETURN\nCOMMIT\n"
    assert host_probe_snapshot.normalised_save("t", text) == {
        "t filter INPUT": "DROP",
        "t filter 00001 -A INPUT -i lo -j ACCEPT": "rule",
        "t filter 00002 -A INPUT -j LOG": "rule",
        "t nat 00001 -A OUTPUT -j RETURN": "rule",
    }


def test_kernel_values_that_move_or_are_secret_are_left_out(tmp_path: Path) -> None:
    values = {
        "net/ipv4/ip_forward": "1\n",
        "net/ipv4/ip_local_port_range": "32768\t60999\n",
        "net/ipv6/conf/all/forwarding": "0\n",
        "net/ipv6/conf/eth0/stable_secret": "secret\n",
        "net/ipv6/route/gc_timeout": "60\n",
        "fs/file-nr": "1 0 9\n",
        "kernel/random/uuid": "x\n",
    }
    for name, text in values.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "net" / "ipv4" / "flush").touch(mode=0o200)
    assert host_probe_snapshot.sysctls(str(tmp_path)) == {
        "net/ipv4/ip_forward": "1",
        "net/ipv4/ip_local_port_range": "32768 60999",
        "net/ipv6/conf/all/forwarding": "0",
    }


def test_a_subject_that_only_one_picture_has_is_a_difference() -> None:
    assert host_probe_snapshot.differences({}, {"swap": {"/dev/sda2": "swap"}}) == ["swap: /dev/sda2: new (swap)"]
    assert host_probe_snapshot.differences({"ipsets": {"a": "set"}}, {}) == ["ipsets: a: gone (was set)"]
