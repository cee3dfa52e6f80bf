"""Package sets, with apt and dpkg for real against a small archive made on the spot."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

from tests.unit.plugin_utils.bundle.debian_samples import LocalApt, build, local_apt


@pytest.fixture
def apt(tmp_path: Path) -> LocalApt:
    """Over the small archive."""
    return local_apt(tmp_path)


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
