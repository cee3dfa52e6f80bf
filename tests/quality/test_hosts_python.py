"""What is shipped to hosts is one package, and only it is held to the oldest host's Python."""

from __future__ import annotations

import ast
import sys
import tomllib
from fnmatch import fnmatch

from tests.conftest import ROOT
from tests.quality.project import PLUGINS, imports

MODULES = ROOT / "plugins" / "modules"
HOST = "module_utils.host"


def host_modules() -> set[str]:
    """Modules that run on hosts: all that import the package of what hosts get."""
    return {path.stem for path in MODULES.glob("*.py") if any(name.startswith(HOST) for name in imports(path))}


def test_the_package_needs_nothing_but_itself() -> None:
    """A host gets this package and no other code of the collection."""
    foreign = {
        str(path.relative_to(ROOT)): sorted(name for name in imports(path) if not name.startswith(HOST))
        for path in (ROOT / "plugins" / "module_utils" / "host").rglob("*.py")
    }
    assert not {path: names for path, names in foreign.items() if names}


def test_the_package_needs_no_library_of_the_controller() -> None:
    """A host has Python and nothing else: its standard library, and what Ansible ships with a module."""
    for path in (ROOT / "plugins" / "module_utils" / "host").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.partition(".")[0] for name in names if not name.startswith(("ansible.module_utils", PLUGINS))}
            assert tops <= sys.stdlib_module_names, path


def test_modules_of_hosts_need_nothing_but_the_package() -> None:
    """What one of them would import besides is not held to the hosts' Python."""
    foreign = {
        name: sorted(one for one in imports(MODULES / f"{name}.py") if not one.startswith(HOST))
        for name in host_modules()
    }
    assert not {name: names for name, names in foreign.items() if names}


def test_only_what_hosts_run_is_held_to_their_python() -> None:
    """pyproject.toml lists exactly the package and the modules that import it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["ruff"]["per-file-target-version"]
    assert set(patterns.values()) == {"py39"}
    expanded = [
        before + name + after
        for pattern in patterns
        for before, _, rest in [pattern.partition("{")]
        for names, _, after in [rest.partition("}")]
        for name in names.split(",")
    ]
    held = {
        path.stem
        for path in MODULES.glob("*.py")
        if any(fnmatch(str(path.relative_to(ROOT)), pattern) for pattern in expanded)
    }
    assert held == host_modules()
    assert "plugins/module_utils/host/**/*.py" in patterns
