"""What must not be in the repository, and what must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.quality.project import files, text

#: Written in pieces, so that this file is none of its own findings.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w>.])/(?:work|root/scratch|opt/wheels|home/[a-z]+)/",
    "a package registry": "|".join(
        re.escape(".".join(parts))
        for parts in (("pypi", "org"), ("pythonhosted", "org"), ("proxy", "golang", "org"), ("deb", "debian", "org"),
                      ("npmjs", "org"), ("crates", "io"), ("repo1", "maven", "org"))
    ),
    "a private key": "-----BEGIN " + r"[A-Z ]*PRIVATE KEY",
    "an injected fact": r"\bansible_(?:all_ipv[46]_addresses|architecture|default_ipv[46]|distribution\w*|fqdn|hostname"
    r"|interfaces|kernel|machine|memtotal_mb|nodename|os_family|processor\w*|service_mgr)\b",
}  # fmt: skip
LONGEST = {".yml": 400, ".py": 400}
LOCKS = ("py311.txt", "py312.txt")


def where(pattern: str) -> list[str]:
    """``file:line: text`` of every match in the project's files."""
    expression = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:160]}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), 1)
        if expression.search(line) and path != Path(__file__)
    ]


def pins(lock: str) -> dict[str, str]:
    """Package and version of every line of a lock."""
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)", text(ROOT / "requirements" / lock), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nowhere(what: str) -> None:
    """Not in any file of the project."""
    assert where(FORBIDDEN[what]) == []


def test_the_collection_finds_itself() -> None:
    """ansible.cfg's collections_path leads through this link back to the repository."""
    link = ROOT / "collections" / "ansible_collections" / "twinstack" / "core"
    assert str(link.readlink()) == "../../.."


def test_shell_tasks_say_why() -> None:
    """A shell task has a comment right above it or in it, and says when it changed something."""
    silent = []
    for path in files():
        if path.suffix != ".yml" or "roles" not in path.parts:
            continue
        for task in re.split(r"\n(?=\s*(?:#|- name:))", text(path)):
            if re.search(r"ansible\.builtin\.(?:shell|raw):", task) and not ("#" in task and "changed_when:" in task):
                silent.append(f"{path.relative_to(ROOT)}: {task.strip().splitlines()[0]}")
    assert silent == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_sorted_and_hashed(lock: str) -> None:
    """Every package has a version and at least one hash."""
    content = text(ROOT / "requirements" / lock)
    names = list(pins(lock))
    assert names == sorted(names)
    blocks = [block for block in re.split(r"\n(?=\S)", content) if "==" in block.split("\n")[0]]
    assert len(blocks) == len(names)
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_what_is_required(lock: str) -> None:
    """Everything that base.in and dev.in name, in the version that they name."""
    python = "3.11" if lock == "py311.txt" else "3.12"
    for name, version, operator in re.findall(
        r"^([A-Za-z][\w.-]*)(?:==([\w.]+))?(?: ; python_version (<|>=).*)?$",
        text(ROOT / "requirements" / "base.in") + text(ROOT / "requirements" / "dev.in"),
        re.MULTILINE,
    ):
        if operator and (operator == "<") != (python == "3.11"):
            continue
        assert pins(lock)[name.lower()].startswith(version)


def test_debian_packages_are_sorted() -> None:
    """One a line, in order."""
    names = text(ROOT / "requirements" / "apt.txt").split()
    assert names == sorted(set(names))


def test_files_are_small() -> None:
    """A long YAML file is upstream's manifest; a long Python file is two files."""
    long = {
        str(path.relative_to(ROOT)): len(text(path).splitlines())
        for path in files()
        if len(text(path).splitlines()) > LONGEST.get(path.suffix, 10**9)
    }
    assert long == {}


#: Tested by what they are parts of, in this file of tests/unit.
TESTED_THROUGH = {
    "host_connectivity": "module_utils/host/test_connectivity.py",
    "host_reset": "module_utils/host/reset/test_stages.py",
    "validate_inventory": "plugin_utils/inventory/test_playbook.py",
    "run_report": "callback/test_run_report.py",
    "ssh_host_keys": "plugin_utils/ssh/test_host_keys.py",
    "verify_unchanged": "module_utils/verify/test_fingerprint.py",
}


def test_unit_tests_lie_where_the_code_lies() -> None:
    """Each folder of tests is named after a folder of code, or after a module that has several files of tests."""
    unit = ROOT / "tests" / "unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}
    lost = [
        str(folder)
        for folder in folders
        if not any((ROOT / place / folder).is_dir() for place in ("plugins", "."))
        and not (ROOT / "plugins" / folder).with_suffix(".py").is_file()
    ]
    assert lost == []


@pytest.mark.parametrize("package", ["module_utils", "plugin_utils"])
def test_every_file_has_a_test_file_of_its_name(package: str) -> None:
    """``plugins/X/NAME.py`` is tested by ``tests/unit/X/test_NAME.py``."""
    plugins, unit = ROOT / "plugins", ROOT / "tests" / "unit"
    code = [path for path in sorted((plugins / package).rglob("*.py")) if path.name != "__init__.py"]
    assert len(code) > 50
    without = [
        str(path.relative_to(ROOT))
        for path in code
        if not (unit / path.relative_to(plugins).with_name(f"test_{path.name}")).is_file()
    ]
    assert without == []


def test_every_plugin_has_a_test() -> None:
    """Those that Ansible itself loads: imported by a test, or called by its full name."""
    tests = "\n".join(text(path) for path in files() if path.parts[len(ROOT.parts)] == "tests")
    imported = re.findall(r"^(?:from|import) .*?(?=^\S(?<!\)))", tests, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\w+", "\n".join(imported))) | set(re.findall(r"twinstack\.core\.(\w+)", tests))
    plugins = [
        path
        for path in files()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] == "plugins"
        and path.relative_to(ROOT).parts[1] not in ("module_utils", "plugin_utils")
    ]
    untested = [
        str(path.relative_to(ROOT))
        for path in plugins
        if path.stem != "__init__"
        and path.stem not in named
        and not (ROOT / "tests" / "unit" / TESTED_THROUGH.get(path.stem, "none")).is_file()
    ]
    assert untested == []
