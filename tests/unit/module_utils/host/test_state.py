"""The parts of host_state that can be seen on any Linux: files, blocks, swap lines, fingerprints, order."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host import state as host_state

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def record_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record lies in the test's own folder."""
    path = tmp_path / "record" / "host.json"
    load, save = host_record.load, host_record.save
    monkeypatch.setattr(host_record, "load", lambda: load(str(path)))
    monkeypatch.setattr(host_record, "save", lambda record: save(record, str(path)))
    return path


def wish(path: Path, **changes: Any) -> host_state.FileWish:
    """A wish owned by whoever runs the test."""
    return host_state.FileWish(str(path), **({"owner": OWNER, "group": GROUP} | changes))


def apply(*files: host_state.FileWish, check: bool = False) -> list[str]:
    """Reconcile files and return what changed."""
    return [step.name for step in host_state.reconcile(host_state.Wishes(files=list(files)), check)]


def test_a_file_is_written_once(tmp_path: Path, record_path: Path) -> None:
    target = tmp_path / "a" / "b.conf"
    assert apply(wish(target, content="x\n", mode=0o600)) == [str(target)]
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("x\n", 0o600)
    assert apply(wish(target, content="x\n", mode=0o600)) == []
    assert json.loads(record_path.read_text())["files"] == {str(target): None}


def test_a_host_remembers_its_cluster(record_path: Path) -> None:
    host_state.reconcile(host_state.Wishes(cluster="demo"), check_mode=True)
    assert not record_path.exists()
    assert host_state.reconcile(host_state.Wishes(cluster="demo"), check_mode=False) == []
    assert json.loads(record_path.read_text())["cluster"] == "demo"


def test_what_kubelet_and_kube_proxy_will_set_is_remembered_once(
    record_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"net/netfilter/nf_conntrack_max": "65536", "vm/overcommit_memory": "0"}
    monkeypatch.setattr(host_state, "read_sysctl", values.get)
    host_state.reconcile(host_state.Wishes(cluster="demo"), check_mode=False)
    values["net/netfilter/nf_conntrack_max"] = "131072"  # kube-proxy came
    host_state.reconcile(host_state.Wishes(cluster="demo"), check_mode=False)
    kept = json.loads(record_path.read_text())["sysctls"]
    assert kept == {"net/netfilter/nf_conntrack_max": "65536", "vm/overcommit_memory": "0"}


def test_check_mode_writes_nothing_and_says_the_same(tmp_path: Path, record_path: Path) -> None:
    target = tmp_path / "b.conf"
    assert apply(wish(target, content="x"), check=True) == [str(target)]
    assert not target.exists()
    assert not record_path.exists()


def test_the_first_original_is_kept(tmp_path: Path, record_path: Path) -> None:
    target = tmp_path / "b.conf"
    target.write_text("theirs\n")
    apply(wish(target, content="ours 1\n"))
    apply(wish(target, content="ours 2\n"))
    kept = json.loads(record_path.read_text())["files"][str(target)]
    assert base64.b64decode(kept) == b"theirs\n"


@pytest.mark.parametrize("change", ["content", "mode"])
def test_a_difference_is_seen(tmp_path: Path, record_path: Path, change: str) -> None:
    target = tmp_path / "b.conf"
    apply(wish(target, content="x\n"))
    if change == "content":
        target.write_text("y\n")
    else:
        target.chmod(0o666)
    assert apply(wish(target, content="x\n")) == [str(target)]
    assert apply(wish(target, content="x\n")) == []


def test_links_directories_and_absence(tmp_path: Path, record_path: Path) -> None:
    folder, link, gone = tmp_path / "d", tmp_path / "l", tmp_path / "g"
    gone.write_text("bye")
    wishes = [
        wish(folder, state="directory", mode=0o750),
        wish(link, state="link", content=str(folder)),
        wish(gone, state="absent"),
    ]
    assert apply(*wishes) == [str(folder), str(link), str(gone)]
    assert folder.stat().st_mode & 0o777 == 0o750
    assert os.readlink(link) == str(folder)
    assert not gone.exists()
    assert apply(*wishes) == []


def test_a_directory_in_the_way_is_refused(tmp_path: Path, record_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(host_state.HostStateError, match="found a directory, expected a file"):
        apply(wish(tmp_path / "x", content="x"))


def test_a_block_leaves_the_rest_alone(tmp_path: Path, record_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    hosts.chmod(0o640)
    apply(wish(hosts, block="cluster", content="10.0.0.1 a"))
    apply(wish(hosts, block="cluster", content="10.0.0.1 b\nfd00::1 b"))
    assert hosts.read_text() == (
        "127.0.0.1 localhost\n# BEGIN twinstack cluster\n10.0.0.1 b\nfd00::1 b\n# END twinstack cluster\n"
    )
    assert hosts.stat().st_mode & 0o777 == 0o640


def test_an_empty_block_goes_away() -> None:
    text = host_state.with_block("a\n", "n", "b")
    assert host_state.with_block(text, "n", "") == "a\n"


def test_a_secret_is_in_no_diff(tmp_path: Path, record_path: Path) -> None:
    steps = host_state.file_steps([wish(tmp_path / "s", content="canary", secret=True)], host_record.load())
    assert "canary" not in steps[0].before + steps[0].after


def test_swap_lines_are_commented_out_once() -> None:
    fstab = "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n# /x none swap sw\n"
    once = host_state.without_swap(fstab)
    assert once == "/dev/sda1 / ext4 defaults 0 1\n# twinstack: /dev/sda2 none swap sw 0 0\n# /x none swap sw\n"
    assert host_state.without_swap(once) == once


def test_a_fingerprint_follows_content_and_presence(tmp_path: Path) -> None:
    path = tmp_path / "f"
    absent = host_state.fingerprint([str(path)])
    path.write_text("1")
    first = host_state.fingerprint([str(path)])
    path.write_text("2")
    assert len({absent, first, host_state.fingerprint([str(path)])}) == 3


def test_sysctl_keys_with_dots_in_a_name_can_use_slashes() -> None:
    assert host_state.sysctl_path("net.ipv6.conf.all.forwarding") == "/proc/sys/net/ipv6/conf/all/forwarding"
    assert host_state.sysctl_path("net/ipv4/conf/eth0.100/rp_filter") == "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"


def test_two_sysctls_of_one_kernel_variable_both_keep_the_original(
    tmp_path: Path, record_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = tmp_path / "variable"
    variable.write_text("0\n")
    monkeypatch.setattr(host_state, "sysctl_path", lambda key: str(variable))
    wishes = host_state.Wishes(sysctls={"net.ipv4.conf.all.forwarding": "1", "net.ipv4.ip_forward": "1"})
    host_state.reconcile(wishes, check_mode=False)
    kept = json.loads(record_path.read_text())["sysctls"]
    assert kept == {"net.ipv4.conf.all.forwarding": "0", "net.ipv4.ip_forward": "0"}


def test_an_unknown_sysctl_is_named() -> None:
    steps = host_state.sysctl_steps({"net.no.such.key": "1"}, host_record.EMPTY)
    with pytest.raises(host_state.HostStateError, match="sysctl net.no.such.key"):
        steps[0].apply()


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="expected a JSON object"):
        host_record.load(str(path))


def test_a_failing_command_says_its_last_words() -> None:
    with pytest.raises(host_state.HostStateError, match="exit status 3: why"):
        host_state.run(["sh", "-c", "echo why >&2; exit 3"])


def test_a_unit_that_somebody_else_starts_must_run_where_its_file_is(tmp_path: Path) -> None:
    """kubeadm starts the kubelet; on a node of the cluster a stopped one is started again."""
    there, absent = tmp_path / "kubelet.conf", tmp_path / "none"
    there.write_text("")
    unit = host_state.UnitWish("kubelet.service", running=False)
    assert not unit.must_run and host_state.UnitWish("containerd.service").must_run
    assert host_state.UnitWish("kubelet.service", running=False, running_if=str(there)).must_run
    assert not host_state.UnitWish("kubelet.service", running=False, running_if=str(absent)).must_run


@pytest.mark.parametrize(
    ("known", "calls"),
    [
        ("LoadState=loaded\nNeedDaemonReload=no", []),
        ("LoadState=loaded\nNeedDaemonReload=yes", ["daemon-reload"]),
        ("LoadState=not-found\nNeedDaemonReload=no", ["daemon-reload"]),
    ],
)
def test_units_are_read_anew_only_where_systemd_knows_another_state(
    tmp_path: Path, record_path: Path, monkeypatch: pytest.MonkeyPatch, known: str, calls: list[str]
) -> None:
    called: list[str] = []

    def systemctl(argv: Sequence[str]) -> str:
        called.append(" ".join(argv[1:]))
        return f"Id=a.service\nUnitFileState=disabled\nActiveState=inactive\n{known}\n"

    monkeypatch.setattr(host_state, "run", systemctl)
    record = host_record.load()
    for step in host_state.unit_steps([host_state.UnitWish("a.service")], record, set()):
        step.apply()
    assert called[1:] == [*calls, "enable --no-reload a.service", "start a.service"]
