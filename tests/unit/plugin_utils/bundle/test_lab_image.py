"""The disk image of lab hosts, with the commands that need root and a mirror played by the test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import lab_image, progress

from tests.conftest import ROOT

SOURCES = ["deb https://mirror.example/debian trixie main", "deb https://mirror.example/debian trixie-updates main"]


class Installer:
    """In place of progress.run: leaves a root as mmdebstrap does, and notes what mke2fs would have packed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outside = root.parent.parent / "a file of the controller"
        self.called: list[list[str]] = []
        self.packed: dict[str, tuple[int, bytes]] = {}

    def __call__(self, argv: Sequence[str | Path], **_options: Any) -> str:
        words = [str(word) for word in argv]
        self.called.append(words)
        if words[0] == "mmdebstrap":
            for name in ("etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub", "etc/ssh/sshd_config"):
                self.write(name, "debian")
            for name in ("etc/hostname", "etc/machine-id", "etc/sudoers.d/ops"):
                self.write(name, "builder")
            (self.root / "etc/motd").symlink_to(self.outside)
        if words[0] == "mke2fs":
            files = [path for path in self.root.rglob("*") if path.is_file()]
            for path in files:
                content = path.stat().st_mode & 0o777, path.read_bytes()
                self.packed[str(path.relative_to(self.root))] = content
        return ""

    def write(self, name: str, text: str) -> None:
        """A file of the root."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    made = Installer(tmp_path / "work" / "root")
    monkeypatch.setattr(progress, "run", made)
    return made


def overlay(folder: Path) -> Path:
    """A script, a file in place of a link, and the rule of sudo."""
    for name, text in (("usr/bin/tool", "#!/bin/sh\n"), ("etc/motd", "lab\n"), ("etc/sudoers.d/ops", "ops ALL\n")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def made(installer: Installer, folder: Path) -> Path:
    """The image of that overlay."""
    work = installer.root.parent
    work.mkdir()
    return lab_image.build_base_image(work, "trixie", SOURCES, ["dbus", "sudo"], folder, lambda _line: None)


def test_a_minimal_server_is_installed_from_all_sources(installer: Installer, tmp_path: Path) -> None:
    made(installer, overlay(tmp_path / "overlay"))
    install, user = installer.called[:2]
    root = str(installer.root)
    assert install == ["mmdebstrap", "--variant=minbase", "--include=dbus,sudo", "trixie", root, *SOURCES]
    assert user[:3] == ["chroot", root, "useradd"] and user[-1] == "ops"


def test_the_overlay_wins_and_its_scripts_can_be_run(installer: Installer, tmp_path: Path) -> None:
    """A link that it replaces is not followed, and sudo refuses a rule that others can read."""
    made(installer, overlay(tmp_path / "overlay"))
    assert installer.packed["usr/bin/tool"] == (0o755, b"#!/bin/sh\n")
    assert installer.packed["etc/motd"] == (0o644, b"lab\n")
    assert not installer.outside.exists()
    assert installer.packed["etc/sudoers.d/ops"] == (0o440, b"ops ALL\n")
    assert installer.packed["etc/ssh/sshd_config"][1] == b"debian"


def test_nothing_in_the_image_makes_two_hosts_the_same(installer: Installer, tmp_path: Path) -> None:
    made(installer, overlay(tmp_path / "overlay"))
    assert installer.packed["etc/machine-id"][1] == b"", "it is filled at the first boot"
    assert not {"etc/hostname", "etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub"} & set(installer.packed)


def test_units_are_enabled_and_masked_before_the_image_is_written(installer: Installer, tmp_path: Path) -> None:
    image = made(installer, overlay(tmp_path / "overlay"))
    enable, mask, write = installer.called[-3:]
    assert enable[2:4] == ["systemctl", "enable"] and "ssh.service" in enable
    assert mask[2:4] == ["systemctl", "mask"] and "apt-daily.timer" in mask
    assert write[0] == "mke2fs" and write[-2:] == [str(installer.root), str(image)]


def test_the_image_is_sparse_and_its_root_is_gone(installer: Installer, tmp_path: Path) -> None:
    image = made(installer, overlay(tmp_path / "overlay"))
    assert image.stat().st_size == 16 * 1024**3
    assert image.stat().st_blocks * 512 < 1024**2
    assert not installer.root.exists()


def test_the_labs_own_units_come_with_its_overlay() -> None:
    """One that is enabled and is nowhere would end the build after minutes."""
    folder = ROOT / "bundle" / "lab" / "overlay"
    own = {path.name for path in folder.rglob("lab-*.service")}
    assert own == {name for name in lab_image.ENABLED_UNITS if name.startswith("lab-")}
    assert not set(lab_image.ENABLED_UNITS) & set(lab_image.MASKED_UNITS)
