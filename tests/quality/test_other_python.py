"""The other lock: Python 3.11 with ansible-core 2.19 and newer ones with 2.21, both where this machine has both."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, run

OTHER = ("3.14", "3.13", "3.12") if sys.version_info < (3, 12) else ("3.11",)
#: What meets most of Ansible: inventories, templating, actions, modules, callback. The rest is plain Python.
TESTS = (
    "tests/render",
    "tests/unit/plugin_utils/inventory/test_bad_inventories.py",
    "tests/unit/action/test_artifacts.py",
    "tests/unit/module_utils/host/state",
    "tests/unit/plugin_utils/inventory/test_playbook.py",
    "tests/unit/callback/test_run_report.py",
)


def interpreters() -> Iterator[str]:
    """Every command that may be a Python of the other lock, the newest first; pyenv's are found without its shims."""
    for version in OTHER:
        yield from (path for path in [shutil.which(f"python{version}")] if path)
        yield from (str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))


def usable(python: str) -> bool:
    """Whether it runs (a shim may not) and can make an environment."""
    return subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0


def test_the_other_lock_works(tmp_path: Path) -> None:
    """Set up by the same script, beside the environment in use."""
    python = next(filter(usable, interpreters()), "")
    if not python:
        pytest.skip(f"no Python {' or '.join(OTHER)} on this machine")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    run(tmp_path / "requirements" / "install.sh", environment={"TWINSTACK_PYTHON": python}).succeeded()
    command: list[str | Path] = [
        tmp_path / ".venv" / "bin" / "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *TESTS,
    ]
    run(*command).succeeded()
    playbook = tmp_path / ".venv" / "bin" / "ansible-playbook"
    run(playbook, "--syntax-check", "-i", "inventory/example", "site.yml").succeeded()
