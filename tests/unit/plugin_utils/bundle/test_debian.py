"""Package sets and the Debian layer, with apt and dpkg for real against a small archive made on the spot."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian, debian_layer, progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.server_packages import BASELINE_PACKAGES
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of


class LocalApt(debian.PrivateApt):
    """The private apt over a folder of unsigned packages."""

    @property
    def sources(self) -> list[str]:
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


@pytest.fixture
def apt(tmp_path: Path) -> LocalApt:
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


def build(folder: Path) -> BuildContext:
    work = folder / "work"
    work.mkdir()
    return BuildContext(work, folder, {}, {}, lambda _line: None)


def test_a_set_leaves_out_what_a_fresh_server_has(apt: LocalApt) -> None:
    assert apt.closure(["ipset"]) == [
        debian.Package("ipset", "7.22-1"),
        debian.Package("kmod", "1.0-1"),
        debian.Package("libc", "2.41-1"),
        debian.Package("libipset", "1:7.22-1+b1"),
    ]
    assert [item.name for item in apt.missing_on_server(["ipset"])] == ["ipset", "libipset"]
    assert apt.missing_on_server(["curl"]) == []


def test_a_set_is_one_archive_with_a_list(apt: LocalApt, tmp_path: Path) -> None:
    made = debian.package_set("host-packages", ["ipset"], apt).run(build(tmp_path))
    listed = made.extra["packages"]
    assert [(item["package"], item["version"]) for item in listed] == [
        ("ipset", "7.22-1"),
        ("libipset", "1:7.22-1+b1"),
    ]
    with tarfile.open(made.path) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert {item["file"]: item["sha256"] for item in listed} == {
        path.name: sha256_of(path) for path in (tmp_path / "out").iterdir()
    }


def test_the_newest_kernel_source_is_taken_by_number(apt: LocalApt, tmp_path: Path) -> None:
    assert apt.newest("linux-source") == "linux-source-10.1"
    made = debian.newest_package("linux-source", "linux-source", apt).run(build(tmp_path))
    assert made.extra == {"package": "linux-source-10.1", "version": "1-1"}
    with pytest.raises(debian.MirrorError, match=r"found no package linux-image-N\.M"):
        apt.newest("linux-image")


def test_a_damaged_package_is_refused(apt: LocalApt, tmp_path: Path) -> None:
    apt.refresh()
    path = tmp_path / "archive" / "ipset_7.22-1_amd64.deb"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(debian.MirrorError, match="Try: set bundle_debian_mirror"):
        apt.download([debian.Package("ipset", "7.22-1")], tmp_path / "debs")


def test_an_archive_that_does_not_answer_is_named(tmp_path: Path) -> None:
    apt = LocalApt(tmp_path / "apt", "trixie", f"file:{tmp_path}/nowhere")
    with pytest.raises(debian.MirrorError, match=r"(?s)nowhere, suite trixie\. Try: set bundle_debian_mirror"):
        apt.closure(["ipset"])


def test_an_unsigned_archive_is_refused(apt: LocalApt, tmp_path: Path) -> None:
    class Unsigned(LocalApt):
        """Without the word that makes apt trust it."""

        @property
        def sources(self) -> list[str]:
            return [f"deb {self.mirror} ./"]

    with pytest.raises(debian.MirrorError, match="Release"):
        Unsigned(tmp_path / "apt2", apt.mirror).closure(["ipset"])


def test_the_mirror_is_the_one_that_the_machine_uses(tmp_path: Path) -> None:
    with pytest.raises(debian.MirrorError, match="bundle_debian_mirror"):
        debian.own_mirror(tmp_path)
    (tmp_path / "sources.list").write_text(
        "# deb http://no.example/debian trixie main\ndeb http://tool.example/apt stable tool\n"
        "deb [arch=amd64] http://one.example/debian/ bookworm main contrib\n"
    )
    assert debian.own_mirror(tmp_path) == "http://one.example/debian"
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    tool = "Types: deb\nURIs: http://tool.example/apt\nSuites: noble\nComponents: main\n"
    off = "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\n"
    good = "Types: deb\nURIs: http://two.example/debian\nSuites: trixie trixie-updates\nComponents: main\n"
    (folder / "a-tool.sources").write_text(tool)
    assert debian.own_mirror(tmp_path) == "http://one.example/debian", "a tool's own archive is no Debian mirror"
    (folder / "debian.sources").write_text(f"{off}\n{good}")
    assert debian.own_mirror(tmp_path) == "http://two.example/debian"


def test_the_layer_is_finished_without_running_anything(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in (
        "usr/share/ca-certificates/mozilla/B.crt",
        "usr/share/ca-certificates/mozilla/A.crt",
        "usr/share/doc/curl/copyright",
        "usr/share/doc/curl/NEWS.gz",
        "usr/share/man/man1/curl.1.gz",
        "usr/sbin/iptables-nft",
        "usr/bin/dash",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{Path(name).name}\n")
    debian_layer.finish(root)
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text() == "A.crt\nB.crt\n"
    assert [path.name for path in (root / "usr/share/doc/curl").iterdir()] == ["copyright"]
    assert not (root / "usr/share/man").exists()
    assert {path.name: str(path.readlink()) for path in (root / "usr/sbin").iterdir() if path.is_symlink()} == {
        "iptables": "iptables-nft",
        "iptables-save": "iptables-nft-save",
        "iptables-restore": "iptables-nft-restore",
        "ip6tables": "ip6tables-nft",
        "ip6tables-save": "ip6tables-nft-save",
        "ip6tables-restore": "ip6tables-nft-restore",
    }
    assert (root / "usr/bin/sh").resolve() == root / "usr/bin/dash"


def test_a_layer_leaves_out_what_it_is_to(apt: LocalApt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_layer, "check_libraries", lambda _root: None)
    full = debian_layer.layer("small", ["ipset"], apt)
    less = debian_layer.layer("small", ["ipset"], apt, ["libc", "kmod"])
    assert less.inputs == {**full.inputs, "without": ["kmod", "libc"]}
    made = less.run(build(tmp_path))
    assert made.extra["packages"] == ["ipset 7.22-1", "libipset 1:7.22-1+b1"]
    with tarfile.open(made.path) as archive:
        names = archive.getnames()
    assert "./usr/sbin/ipset" in names
    # No link to a shell that is not in the layer.
    assert "./usr/bin/sh" not in names


def test_a_program_without_its_library_is_found(tmp_path: Path) -> None:
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    for folder in (libraries, tmp_path / "usr/bin", tmp_path / "usr/sbin"):
        folder.mkdir(parents=True)
    own = Path("/lib64/ld-linux-x86-64.so.2").resolve()
    (libraries / "ld-linux-x86-64.so.2").write_bytes(own.read_bytes())
    (libraries / "ld-linux-x86-64.so.2").chmod(0o755)
    (tmp_path / "usr/bin/script").write_text("#!/bin/sh\n")
    debian_layer.check_libraries(tmp_path)
    program = tmp_path / "usr/sbin/true"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    with pytest.raises(progress.CommandError, match=r"libc\.so\.6"):
        debian_layer.check_libraries(tmp_path)


def test_the_same_tree_gives_the_same_layer(tmp_path: Path) -> None:
    archives = []
    for number in range(2):
        root = tmp_path / f"root{number}"
        for name in ("b", "a") if number else ("a", "b"):
            (root / "etc").mkdir(parents=True, exist_ok=True)
            (root / "etc" / name).write_text(name)
        archives.append(tmp_path / f"{number}.tar")
        debian_layer.write_root_tar(root, archives[-1])
    assert archives[0].read_bytes() == archives[1].read_bytes()
