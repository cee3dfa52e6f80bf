"""Which files are the project's own."""

from __future__ import annotations

import ast
import os
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

PLUGINS = "ansible_collections.twinstack.core.plugins."
#: Folders that hold what tools or runs leave behind, or a second name for the same files.
SKIPPED = {"__pycache__", "collections", ".artifacts", ".secrets"}


@cache
def files() -> list[Path]:
    """Every file of the project without what runs and tools leave behind; links are not followed."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if name not in SKIPPED and (name == ".ci" or name[0] != "."))
        found += [here / name for name in sorted(names) if not (here / name).is_symlink() and name != "known_hosts"]
    return found


def text(path: Path) -> str:
    """The file's text; what is not UTF-8 is replaced."""
    return path.read_text(encoding="utf-8", errors="replace")


def imports(path: Path) -> set[str]:
    """Names below ``plugins`` that a file imports, with dots."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PLUGINS):
            found |= {f"{node.module}.{name.name}".removeprefix(PLUGINS) for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name.removeprefix(PLUGINS) for name in node.names if name.name.startswith(PLUGINS)}
    return found
