"""What the roles of this collection declare: every variable with its type, choices and default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
SHARED = "twinstack_"
#: What an inventory says of its cluster in the field's own words, without the prefix of the role that shares it.
WORDS = ("primary_family", "pod_cidrs", "service_cidrs", "istio_revisions")
# The C loader reads all roles in a tenth of the time of the Python one, which is the fallback.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {
    "str": "a text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}
_TRUTH = {"true", "false", "yes", "no", "on", "off", "1", "0", "y", "n", "t", "f"}


@dataclass(frozen=True)
class Declared:
    """options, as in argument_specs, and defaults by variable name. prefixes: ``role_`` of every role."""

    options: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, Any]
    prefixes: tuple[str, ...]


def is_shared(name: str) -> bool:
    """Whether a variable is one of the settings that all roles share."""
    return name.startswith(SHARED) or name in WORDS


def load(roles: Path = ROLES) -> Declared:
    """The declarations of all roles in a folder."""
    options: dict[str, Mapping[str, Any]] = {}
    defaults: dict[str, Any] = {}
    prefixes = []
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        prefixes.append(f"{path.parent.parent.name}_")
        for entry_point in _read(path)["argument_specs"].values():
            options.update(entry_point.get("options") or {})
        given = _read(path.parent.parent / "defaults" / "main.yml") or {}
        defaults.update({name: value for name, value in given.items() if name in options})
    return Declared(options, defaults, tuple(prefixes))


def _read(path: Path) -> Any:
    """A YAML file's content, nothing when there is no such file."""
    # A subclass of SafeLoader: only plain data can come out.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) if path.exists() else None


def expected(value: Any, option: Mapping[str, Any]) -> str:
    """What the option would have accepted instead of the value; empty when it accepts it.

    Numbers and truth values may also be text, as Ansible itself takes them and ``-e name=value`` makes them.
    """
    kind = option.get("type", "str")
    choices = option.get("choices") or []
    if kind == "list":
        if not isinstance(value, list | tuple):
            return f"a list of {_either(choices)}" if choices else _WORDS[kind]
        return f"a list of {_either(choices)}" if choices and not all(item in choices for item in value) else ""
    if choices:
        return "" if isinstance(value, str) and value in choices else _either(choices)
    return "" if _is(value, kind) else _WORDS[kind]


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of one of Ansible's types."""
    if kind in ("str", "path"):
        return isinstance(value, str)
    if kind == "dict":
        return isinstance(value, Mapping)
    if kind == "bool":
        return isinstance(value, bool) or str(value).lower() in _TRUTH
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        number = float(value)
    except ValueError:
        return False
    return kind == "float" or (not isinstance(value, float) and number.is_integer() and "." not in str(value))


def _either(choices: list[str]) -> str:
    """Choices in words; the empty text shows as such."""
    return " or ".join(choice or '""' for choice in choices)
