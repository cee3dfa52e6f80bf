"""What all tests share: where the repository is, how to run its tools, and the order in which folders run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Folders of tests/ from the fastest answer to the slowest; what is not named runs just before the lab.
ORDER = ("quality", "unit", "render")
LAST = ("molecule", "lab")

if str(ROOT / "collections") not in sys.path:
    sys.path.insert(0, str(ROOT / "collections"))
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@dataclass(frozen=True)
class Run:
    """What a finished command said."""

    code: int
    output: str

    def succeeded(self) -> Run:
        """The run itself; fails the test with the whole output when the exit status is not 0."""
        if self.code:
            pytest.fail(f"exit status {self.code}\n{self.output}", pytrace=False)
        return self


def run(*command: str | Path, cwd: Path = ROOT, environment: dict[str, str] | None = None, text: str = "") -> Run:
    """Run a command from the repository's root with standard output and error in one text, without colours.

    environment: added to the present one. text: given as standard input.
    """
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "200"} | (environment or {}),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(finished.returncode, finished.stdout)


def task_play(folder: Path, module: str, arguments: dict[str, Any], shown: str = "found") -> Path:
    """Write a play of one task on this machine; its path.

    module: the task's module. shown: an expression over the task's result ``found`` that is printed as JSON.
    """
    tasks = [
        {"name": "Do it", module: arguments, "register": "found"},
        {"name": "Show it", "ansible.builtin.debug": {"msg": f"{{{{ {shown} | to_json }}}}"}},
    ]
    play = {"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    path = folder / "play.yml"
    path.write_text(json.dumps([play]), encoding="utf-8")
    return path


def _rank(path: Path) -> int:
    folder = path.relative_to(ROOT / "tests").parts[0]
    if folder in ORDER:
        return ORDER.index(folder)
    return len(ORDER) + 1 + LAST.index(folder) if folder in LAST else len(ORDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the folders: quality, unit, render, then what needs the lab."""
    items.sort(key=lambda item: _rank(item.path.resolve()))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def playbook() -> Callable[..., Run]:
    """Runs ``ansible-playbook`` from the repository's root: ``playbook("site.yml", "-i", inventory).succeeded()``."""

    def start(*arguments: str | Path, environment: dict[str, str] | None = None, text: str = "") -> Run:
        return run("ansible-playbook", *arguments, environment=environment, text=text)

    return start
