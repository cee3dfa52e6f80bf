"""Packages of the install, in sample texts and by dpkg itself in a folder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import packages

from tests.unit.module_utils.host.reset.samples import record

MESSAGES = """dpkg: dependency problems prevent removal of ipset:
 firewalld depends on ipset; however:
  Package ipset is to be removed.
 other:amd64 pre-depends on ipset (>= 1); however:
  Package ipset is to be removed.

dpkg: error processing package ipset (--purge):
 dependency problems - not removing
dpkg: dependency problems prevent removal of libipset13:amd64:
 ipset depends on libipset13 (>= 7).

Errors were encountered while processing:
 ipset
"""


def test_packages_that_left_something() -> None:
    assert packages.parse_packages("a\tii \nb\trc \nc\tun \nd\tpn \n") == ["a", "b"]


def test_who_needs_a_package_is_read_out_of_dpkgs_messages() -> None:
    assert packages.parse_blocked(MESSAGES) == {"ipset": ["firewalld", "other"], "libipset13": ["ipset"]}
    assert packages.parse_blocked("") == {}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dpkg of its own: tool needs lib, data needs nothing, and theirs, of somebody else, needs tool."""
    for name, needs in (("lib", ""), ("tool", "lib"), ("data", ""), ("theirs", "tool")):
        folder = tmp_path / name / "DEBIAN"
        folder.mkdir(parents=True)
        depends = f"Depends: {needs}\n" if needs else ""
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\n{depends}Description: x\n"
        (folder / "control").write_text(control, encoding="utf-8")
        subprocess.run(["dpkg-deb", "--build", str(tmp_path / name)], check=True, capture_output=True)
    root = tmp_path / "root"
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    monkeypatch.setattr(packages, "DPKG", ("dpkg", f"--root={root}", "--force-not-root"))
    monkeypatch.setattr(packages, "QUERY", ("dpkg-query", f"--root={root}"))
    debs = [str(tmp_path / f"{name}.deb") for name in ("lib", "tool", "data", "theirs")]
    subprocess.run([*packages.DPKG, "--install", *debs], check=True, capture_output=True)
    return root


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
@pytest.mark.usefixtures("root")
def test_packages_that_others_need_stay_and_the_reset_comes_to_its_end() -> None:
    """H6: one dependency kept a reset from its end for ever."""
    notes = record(packages=["data", "lib", "tool", "unknown"])
    assert packages.present(notes) == ["data", "lib", "tool"]
    assert packages.find_packages(notes) == ["data"]
    assert packages.find_kept(notes) == ["package lib, needed by tool", "package tool, needed by theirs"]
    assert packages.present(notes) == ["data", "lib", "tool"], "asking has changed something"
    packages.purge_packages(notes, ["data"])
    assert packages.find_packages(notes) == []
    subprocess.run([*packages.DPKG, "--purge", "theirs"], check=True, capture_output=True)
    assert (packages.find_packages(notes), packages.find_kept(notes)) == (["lib", "tool"], [])


def test_without_packages_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "DPKG", ("/nowhere",))
    assert packages.find_packages(record()) == []
    assert packages.find_kept(record()) == []


def test_dpkg_is_asked_until_it_has_nothing_against_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays needs others in turn, of which it may speak only then."""
    dpkg = tmp_path / "dpkg"
    dpkg.write_text(
        """#!/bin/sh
say() { printf 'dpkg: dependency problems prevent removal of %s:\n %s depends on %s.\n' $1 $2 $1 >&2; exit 1; }
case "$*" in *" tool"*) say tool theirs ;; *" lib"*) say lib tool ;; esac
""",
        encoding="utf-8",
    )
    dpkg.chmod(0o755)
    monkeypatch.setattr(packages, "DPKG", (str(dpkg),))
    assert packages.needed(["data", "lib", "tool"]) == {"tool": ["theirs"], "lib": ["tool"]}
