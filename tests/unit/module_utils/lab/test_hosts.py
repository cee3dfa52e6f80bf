"""The lab's decisions: command lines, refusals, recognising its own processes; lab_kernel's and lab_image's steps."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.lab import hosts as engine
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import lab_image, lab_kernel, progress

from tests.conftest import ROOT

HOSTS = (
    engine.Host("cp1", "10.66.0.11", "fd66::11"),
    engine.Host("worker1", "10.66.0.12", "fd66::12"),
)


def lab(folder: Path) -> engine.Lab:
    """A lab of two hosts."""
    return engine.Lab(folder, HOSTS, "10.66.0.1", "fd66::1", 2048)


def test_a_host_gets_both_addresses_and_both_gateways(tmp_path: Path) -> None:
    unit = engine.network_unit(HOSTS[0], lab(tmp_path))
    for line in ("Address=10.66.0.11/24", "Address=fd66::11/64", "Gateway=10.66.0.1", "Gateway=fd66::1"):
        assert line in unit.splitlines()


def test_a_command_line_carries_public_things_only(tmp_path: Path) -> None:
    one = lab(tmp_path)
    private = one.folder / "keys" / "worker1"
    public = engine.key_pair(private, "worker1")
    words = engine.command_line(one, 1, tmp_path / "kernel", tmp_path / "base.ext4", public, cpu=1)
    assert f"ubd0={tmp_path}/disks/worker1.cow,{tmp_path}/base.ext4" in words
    assert "mem=2048M" in words
    assert engine.credential("lab.authorized_keys", public) in words
    secret = private.read_text().splitlines()[1]
    assert secret not in " ".join(words)
    assert private.stat().st_mode & 0o077 == 0


def test_what_comes_second_does_so_with_all_that_it_starts() -> None:
    """By the niceness of each process, and of the session where the scheduler shares processors among sessions."""
    show = "import subprocess, sys; sys.stdin.read(1); subprocess.run(['sh', '-c', 'nice; cat /proc/self/autogroup'])"
    with subprocess.Popen(
        [sys.executable, "-c", show], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        engine.come_second(process.pid)
        said, _ = process.communicate("x")
    own, *group = said.splitlines()
    assert int(own) == engine.NICENESS
    assert [line.split(" nice ")[1] for line in group] == [str(engine.NICENESS)] * len(group)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "client"
    assert engine.key_pair(path, "c") == engine.key_pair(path, "c")


def test_known_hosts_names_every_host_under_both_addresses(tmp_path: Path) -> None:
    lines = engine.known_hosts(lab(tmp_path)).splitlines()
    assert [line.split()[0] for line in lines] == ["cp1,10.66.0.11,fd66::11", "worker1,10.66.0.12,fd66::12"]
    assert len({line.split()[2] for line in lines}) == 2, "every host has a key of its own"


def test_everything_that_is_missing_is_reported_at_once(tmp_path: Path) -> None:
    found = engine.refusals(lab(tmp_path), 1000, "aarch64", 100, 200, 1 << 30, down=2)
    assert [line.split(":")[0] for line in found] == ["user", "machine", "memory", "/dev/shm", str(tmp_path)]
    assert "expected 4096" in found[2]
    assert engine.refusals(lab(tmp_path), 0, "x86_64", 9000, 9000, 100 << 30, down=2) == []


def test_a_host_that_runs_already_needs_nothing(tmp_path: Path) -> None:
    assert engine.refusals(lab(tmp_path), 0, "x86_64", 0, 0, 0, down=0) == []


def fake_kernel(folder: Path, host: str) -> subprocess.Popen[bytes]:
    """A process that looks like a lab host to everyone who reads command lines."""
    words = [f"{folder}/kernel", "-c", "import time; time.sleep(60)", f"umid={host}", f"uml_dir={folder}/uml/"]
    process = subprocess.Popen(words, executable=sys.executable, start_new_session=True)
    time.sleep(0.2)
    return process


def test_hosts_of_this_lab_and_of_another_are_distinguished(tmp_path: Path) -> None:
    ours, other = lab(tmp_path / "ours"), lab(tmp_path / "other")
    with fake_kernel(ours.folder, "cp1") as process:
        try:
            assert engine.running(ours) == {"cp1": process.pid}
            assert engine.running(other) == {}
            assert process.pid in engine.foreign(other)
            assert process.pid not in engine.foreign(ours)
            assert engine.power_off(ours, ["worker1"]) == []
        finally:
            process.kill()
            process.wait()
    assert engine.running(ours) == {}


def test_a_second_run_is_refused_while_the_lab_changes(tmp_path: Path) -> None:
    one = lab(tmp_path)
    with engine.locked(one), pytest.raises(engine.LabError, match="another run"), engine.locked(one):
        pass


def test_an_unknown_disk_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(engine.LabError, match="lab_base_image: found none"):
        engine.base_of(lab(tmp_path))
    with pytest.raises(engine.LabError, match="lab_kernel: found none"):
        engine.kernel_of(lab(tmp_path))


def recorded(monkeypatch: pytest.MonkeyPatch, done: Any) -> list[list[str]]:
    """Commands that lab_kernel and lab_image would run; done(words) plays what they leave behind."""
    commands: list[list[str]] = []

    def run(words: Sequence[str | Path], *_more: Any) -> str:
        commands.append([str(word) for word in words])
        done(commands[-1])
        return ""

    monkeypatch.setattr(progress, "run", run)
    return commands


def kernel_tree(tree: Path, makefile: str = "obj-y += vdso.o vma.o\n") -> None:
    """What the kernel's source has where the clocks go."""
    folder = tree / lab_kernel.VDSO
    folder.mkdir(parents=True)
    (folder / "vma.c").write_text("unsigned long um_vdso_addr;\nstatic struct page *um_vdso;\n")
    (folder / "Makefile").write_text(makefile)
    (folder / "um_vdso.c").write_text("the kernel's own\n")


def test_the_kernel_is_built_with_the_projects_configuration_and_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    tree = work / "linux-source-7.3"
    seen: list[str] = []
    clocks: list[str] = []

    def done(words: list[str]) -> None:
        if words[0] == "dpkg-deb":
            folder = Path(words[-1]) / "usr/src"
            folder.mkdir(parents=True)
            (folder / "linux-source-7.3.tar.xz").touch()
        elif words[0] == "tar":
            kernel_tree(tree)
        elif words[0] == "make":
            own = tree / lab_kernel.VDSO
            seen.append((tree / ".config").read_text())
            clocks[:] = [(own / name).read_text() for name in ("um_vdso.c", "host_clock.c", "vma.c", "Makefile")]
        elif words[0] == "strip":
            Path(words[3]).touch()

    work.mkdir()
    own = ROOT / "bundle/lab/kernel"
    commands = recorded(monkeypatch, done)
    assert lab_kernel.build_kernel(work, tmp_path / "s.deb", own, lambda _text: None) == work / "linux"
    assert seen == [(own / "uml.defconfig").read_text()] * 2
    assert clocks[:2] == [(own / name).read_text() for name in ("um_vdso.c", "host_clock.c")]
    assert "\nstruct page *um_vdso;" in clocks[2] and "host_clock.o" in clocks[3]
    assert all("ARCH=um" in words for words in commands if words[0] == "make")
    assert not tree.exists(), "gigabytes of objects are not kept"


def test_a_kernel_whose_source_has_no_place_for_clocks_is_refused(tmp_path: Path) -> None:
    kernel_tree(tmp_path, makefile="obj-y := vdso.o\n")
    with pytest.raises(progress.CommandError, match=r"vdso/Makefile: found 0 times 'obj-y \+= vdso.o vma.o', expected"):
        lab_kernel.add_clocks(tmp_path, ROOT / "bundle/lab/kernel")


def test_a_package_without_a_source_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(monkeypatch, lambda words: Path(words[-1]).mkdir(exist_ok=True))
    with pytest.raises(progress.CommandError, match="found 0 source archives, expected one"):
        lab_kernel.build_kernel(tmp_path, tmp_path / "s.deb", tmp_path / "c", lambda _text: None)


def test_the_image_has_no_keys_and_no_identity_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, str] = {}

    def done(words: list[str]) -> None:
        root = tmp_path / "root"
        if words[0] == "mmdebstrap":
            (root / "etc/ssh").mkdir(parents=True)
            (root / "etc/sudoers.d").mkdir()
            (root / "etc/ssh/ssh_host_rsa_key").touch()
            (root / "etc/machine-id").write_text("1234")
            (root / "etc/hostname").touch()
        elif words[0] == "mke2fs":
            kept.update({str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()})

    overlay = tmp_path / "overlay"
    (overlay / "etc/sudoers.d").mkdir(parents=True)
    (overlay / "etc/sudoers.d/ops").write_text("ops ALL\n")
    commands = recorded(monkeypatch, done)
    image = lab_image.build_base_image(
        tmp_path, "trixie", ["deb mirror"], ["openssh-server"], overlay, lambda _text: None
    )
    assert image.stat().st_size == lab_image.DISK_GIB << 30
    assert "etc/ssh/ssh_host_rsa_key" not in kept
    assert "etc/hostname" not in kept
    assert kept["etc/machine-id"] == "", "three copies are three machines"
    assert kept["etc/sudoers.d/ops"] == "ops ALL\n"
    assert any(words[0] == "mmdebstrap" and "--include=openssh-server" in words for words in commands)
