"""A small Debian archive made on the spot, for apt and dpkg for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.server_packages import BASELINE_PACKAGES
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of


class LocalApt(debian.PrivateApt):
    """The private apt over a folder of unsigned packages."""

    @property
    def sources(self) -> list[str]:
        """One line for the folder."""
        return [f"deb [trusted=yes] {self.mirror} ./"]


def package(folder: Path, name: str, version: str, depends: str = "", files: tuple[str, ...] = ()) -> None:
    """One real package in the archive's folder."""
    root = folder / "build" / name
    (root / "DEBIAN").mkdir(parents=True)
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(name)
    fields = [f"Package: {name}", f"Version: {version}", "Architecture: amd64", "Maintainer: nobody <n@example.org>"]
    fields += [f"Depends: {depends}"] if depends else []
    (root / "DEBIAN/control").write_text("\n".join([*fields, "Description: made for a test\n"]))
    archive = folder / f"{name}_{version}_amd64.deb"
    argv: list[str | Path] = ["dpkg-deb", "--root-owner-group", "--build", root, archive]
    subprocess.run(argv, check=True, capture_output=True)


def build(folder: Path) -> BuildContext:
    """What a step is given below a folder."""
    work = folder / "work"
    work.mkdir()
    return BuildContext(work, folder, {}, {}, lambda _line: None)


def local_apt(tmp_path: Path) -> LocalApt:
    """An archive in which `ipset` needs `libipset`, which needs `libc`, which a server's systemd needs too."""
    archive = tmp_path / "archive"
    archive.mkdir()
    package(archive, "libc", "2.41-1")
    for name in BASELINE_PACKAGES:
        package(archive, name, "1.0-1", "libc" if name == "systemd" else "")
    package(archive, "libipset", "1:7.22-1+b1", "libc")
    package(archive, "ipset", "7.22-1", "libipset, kmod", ("usr/sbin/ipset",))
    for version in ("6.12", "7.2", "10.1"):
        package(archive, f"linux-source-{version}", "1-1")
    package(archive, "linux-source-99-doc", "1-1")
    lines: list[str] = []
    for path in sorted(archive.glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "--field", path], check=True, capture_output=True, text=True).stdout
        lines += [control.rstrip(), f"Filename: ./{path.name}", f"Size: {path.stat().st_size}"]
        lines += [f"SHA256: {sha256_of(path)}", ""]
    (archive / "Packages").write_text("\n".join(lines))
    return LocalApt(tmp_path / "apt", "trixie", f"file:{archive}")
