"""Debian layers: packages unpacked, trimmed and finished, with nothing run in them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian_layer, progress

from tests.unit.plugin_utils.bundle.debian_samples import LocalApt, build, local_apt


@pytest.fixture
def apt(tmp_path: Path) -> LocalApt:
    """Over the small archive."""
    return local_apt(tmp_path)


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


def test_links_and_accounts_of_a_layer_are_its_own(tmp_path: Path) -> None:
    """Whatever a package brought; the target of which is another than a host's."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("theirs:x:0:0::/:/bin/sh\n")
    (tmp_path / "usr/bin/which").symlink_to("/etc/alternatives/which")
    (tmp_path / "usr/bin/which.debianutils").touch()
    (tmp_path / "usr/bin/sh").symlink_to("bash")
    debian_layer.finish(tmp_path)
    assert not (tmp_path / "usr/sbin").exists(), "links to tables that are not in the layer"
    (tmp_path / "usr/sbin").mkdir()
    (tmp_path / "usr/sbin/ip6tables-nft").symlink_to("xtables-nft-multi")
    (tmp_path / "usr/sbin/iptables-nft").symlink_to("xtables-nft-multi")
    (tmp_path / "usr/sbin/ip6tables").symlink_to("/etc/alternatives/ip6tables")
    debian_layer.finish(tmp_path)
    assert str((tmp_path / "usr/sbin/ip6tables").readlink()) == "ip6tables-nft"
    assert str((tmp_path / "usr/bin/which").readlink()) == "which.debianutils"
    assert not (tmp_path / "usr/bin/sh").is_symlink(), "a link to a shell that is not in the layer"
    assert {line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()} == {"root", "nobody"}
    assert "nogroup:x:65534:" in (tmp_path / "etc/group").read_text().splitlines()


def test_what_decides_the_layer_is_an_input_of_its_step(apt: LocalApt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a layer of before a change would be taken for one of after it."""
    before = debian_layer.layer("small", ["b", "a"], apt).inputs
    assert before["packages"] == ["a", "b"]
    monkeypatch.setattr(debian_layer, "TRIMMED", (*debian_layer.TRIMMED, "usr/share/x"))
    monkeypatch.setattr(debian_layer, "UNUSED_PACKAGES", debian_layer.UNUSED_PACKAGES | {"x"})
    monkeypatch.setattr(debian_layer, "ACCOUNTS", "")
    monkeypatch.setattr(debian_layer, "DEFAULT_TABLES", "legacy")
    after = debian_layer.layer("small", ["b", "a"], apt).inputs
    assert {key for key in before if before[key] != after[key]} == {"trimmed", "unused", "accounts", "tables"}


def test_a_tar_of_a_tree_is_owned_by_root_at_time_zero_and_the_tree_is_gone(tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/link").symlink_to("nowhere")
    debian_layer.write_root_tar(tmp_path / "root", tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        members = {item.name: (item.uid, item.gid, item.mtime) for item in archive.getmembers()}
    assert members == dict.fromkeys((".", "./etc", "./etc/link"), (0, 0, 0))
    assert not (tmp_path / "root").exists()
