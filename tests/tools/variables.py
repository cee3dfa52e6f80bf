"""Prints docs/variables.md, made from the argument_specs of all roles.

.venv/bin/python tests/tools/variables.py > docs/variables.md
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"
COMMAND = ".venv/bin/python tests/tools/variables.py > docs/variables.md"
FIRST = "twinstack"  # its variables are shared by all roles
HEAD = f"""# Variables

Generated from `roles/*/meta/argument_specs.yml`; do not edit. Generate it again with
`{COMMAND}`.

Every variable belongs to the role whose name it starts with. Set it in the environment's `group_vars`, or for one run
with `-e`. Those of role [twinstack](#{FIRST}) are shared by all roles; those that are required have no default,
because a guess would be wrong somewhere. A role with several steps has an entry point for each, named before its
description (`tasks_from`).
"""


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """The role's entry points by name: ``short_description``, ``description``, ``options``."""
    text = (role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["argument_specs"]
    return found


def options(role: Path) -> dict[str, Any]:
    """The options of all entry points; one that several take is listed once."""
    return {name: option for one in entry_points(role).values() for name, option in one.get("options", {}).items()}


def prose(text: str | list[str] | None) -> str:
    """Ansible's documentation mark-up as Markdown on one line."""
    joined = " ".join([text] if isinstance(text, str) else text or [])
    joined = re.sub(r"\b[COVEP]\(([^)]*)\)", r"`\1`", joined)
    joined = re.sub(r"\bM\(([^)]*)\)", r"`\1`", joined)
    joined = re.sub(r"\bB\(([^)]*)\)", r"**\1**", joined)
    return re.sub(r"\s+", " ", joined).strip().replace("|", "\\|").replace("<", "&lt;")


def kind(option: dict[str, Any]) -> str:
    """The option's type as people say it: ``list of str``, ``ipvs or nftables``."""
    name = option.get("type", "str")
    choices = " or ".join(f"`{choice}`" for choice in option.get("choices", []))
    if name == "list":
        return f"list of {choices or option.get('elements', 'anything')}"
    return choices or str(name)


def default(option: dict[str, Any]) -> str:
    """The default as one would write it, or that there is none."""
    if option.get("required"):
        return "**required**"
    value = option.get("default")
    if value is None:
        return ""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


def rows(given: dict[str, Any], indent: str = "") -> list[str]:
    """Table rows, suboptions below their option."""
    lines = []
    for name, option in given.items():
        cells = (f"{indent}`{name}`", kind(option), default(option), prose(option.get("description")))
        lines.append("| " + " | ".join(cells) + " |")
        lines += rows(option.get("options", {}), f"{indent}&nbsp;&nbsp;")
    return lines


def section(role: Path) -> str:
    """A role's heading, what its entry points do, and the table of its variables."""
    points = entry_points(role)
    parts = [f"## {role.name}"]
    for name, point in points.items():
        said = f"{prose(point['short_description'])}. {prose(point.get('description'))}".strip()
        parts.append(said if list(points) == ["main"] else f"`{name}`: {said}")
    table = rows(options(role))
    if table:
        parts.append("\n".join(["| variable | type | default | meaning |", "|---|---|---|---|", *table]))
    else:
        parts.append("No variables of its own.")
    return "\n\n".join(parts)


def page() -> str:
    """The whole page, shared variables first, then the roles by name."""
    roles = sorted((path.parent.parent for path in ROLES.glob("*/meta/argument_specs.yml")), key=lambda role: role.name)
    roles.sort(key=lambda role: role.name != FIRST)
    return "\n\n".join([HEAD.strip(), *map(section, roles)]) + "\n"


if __name__ == "__main__":
    print(page(), end="")
