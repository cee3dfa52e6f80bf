"""The files of an inventory as Ansible finds them: which file sets which variable, and what no run would ever notice.

Ansible merges silently: of a key that is there twice the last one wins, and variables of a group or host that does not
exist are never read. Values are not looked at here; Ansible itself resolves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SUFFIXES = ("", ".yml", ".yaml", ".json")
FOLDERS = {"group_vars": "group", "host_vars": "host"}
HOSTS_FILE = "hosts.yml"


@dataclass(frozen=True)
class Variable:
    """A file that sets a variable. where: relative to the inventory. kind: ``group`` or ``host``; owner: its name."""

    name: str
    where: str
    kind: str
    owner: str


@dataclass(frozen=True)
class Repeated:
    """A key that a mapping has twice. key: dotted path to it. lines: both, counted from 1."""

    where: str
    key: str
    lines: tuple[int, int]


@dataclass(frozen=True)
class Scan:
    """hosts_file: the file that lists the hosts. owners: (where, kind, name) of all in group_vars and host_vars."""

    hosts_file: str
    variables: tuple[Variable, ...]
    repeated: tuple[Repeated, ...]
    owners: tuple[tuple[str, str, str], ...]


def scan(sources: Sequence[Path]) -> Scan:
    """Look through inventories, each a folder or a file, as they are given with ``-i``. Other sources are skipped."""
    variables: list[Variable] = []
    repeated: list[Repeated] = []
    owners: list[tuple[str, str, str]] = []
    hosts_files: list[str] = []
    for source in sources:
        if not source.exists():
            continue
        base = source if source.is_dir() else source.parent
        for path in sorted(base.iterdir()) if source.is_dir() else [source]:
            root = _compose(path) if path.is_file() and _is_read(path) else None
            if not isinstance(root, yaml.MappingNode):
                continue
            hosts_files.append(path.name)
            repeated += _repeated(root, path.name)
            for group, content in _pairs(root):
                variables += _of_group(content, group, path.name)
        for folder, kind in FOLDERS.items():
            for path, owner in _variable_files(base / folder):
                where = str(path.relative_to(base))
                owners.append((where, kind, owner))
                root = _compose(path)
                if isinstance(root, yaml.MappingNode):
                    repeated += _repeated(root, where)
                    variables += [Variable(name, where, kind, owner) for name, _ in _pairs(root)]
    return Scan(hosts_files[0] if hosts_files else HOSTS_FILE, tuple(variables), tuple(repeated), tuple(owners))


def _is_read(path: Path) -> bool:
    """Whether Ansible reads a file of this name."""
    return path.suffix in SUFFIXES and not path.name.startswith(".") and not path.name.endswith("~")


def _variable_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files below group_vars or host_vars with the group or host that each belongs to."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            for path in sorted(entry.rglob("*")):
                if path.is_file() and _is_read(path):
                    yield path, entry.name
        elif _is_read(entry):
            yield entry, entry.stem if entry.suffix in SUFFIXES[1:] else entry.name


def _compose(path: Path) -> yaml.Node | None:
    """The file's YAML tree; None for what is no YAML, which is Ansible's to refuse."""
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    """A mapping's keys and values; none when the node is no mapping."""
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key.value, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _of_group(content: yaml.Node, group: str, where: str) -> Iterator[Variable]:
    """Variables that a group of an inventory file sets, for itself, its hosts and the groups below it."""
    for part, inner in _pairs(content):
        if part == "vars":
            yield from (Variable(name, where, "group", group) for name, _ in _pairs(inner))
        elif part == "hosts":
            for host, host_variables in _pairs(inner):
                yield from (Variable(name, where, "host", host) for name, _ in _pairs(host_variables))
        elif part == "children":
            for child, child_content in _pairs(inner):
                yield from _of_group(child_content, child, where)


def _repeated(node: yaml.Node, where: str, path: str = "", depth: int = 0) -> Iterator[Repeated]:
    """Keys that are there twice, anywhere below the node. depth: ends what an alias makes endless."""
    if depth > 20:
        return
    lines: dict[str, int] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, line = f"{path}{key.value}", key.start_mark.line + 1
        if key.value in lines:
            yield Repeated(where, name, (lines[key.value], line))
        lines[key.value] = line
        yield from _repeated(value, where, f"{name}.", depth + 1)
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item, where, path, depth + 1)
