"""Variables, whatever they are about: names that no role has, wrong types, keys that are there twice. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import (
    LOCALHOST,
    Inventory,
    Unresolved,
    unresolved,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.role_options import Declared, is_shared

COMMA_LISTS = ("scenarios_run",)  # for -e scenarios_run=S1,S5
# How alike two names must be for one to be a slip of the other. The first is for what follows a role's prefix, the
# second of whole names without such a prefix, which may be the user's own.
ALIKE, ALMOST_EQUAL = 0.5, 0.9


def check_names(inventory: Inventory, declared: Declared, renamed: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that no role has, by the name that was probably meant, and old names. renamed: new ones by old ones."""
    known = list(declared.options)
    for variable in inventory.variables:
        name = variable.name
        if name in renamed:
            found = f"an old name, renamed to {renamed[name]}"
            yield Finding(variable.where, name, found, renamed[name])
        elif name in declared.options:
            continue
        elif name.startswith(declared.prefixes):
            close = _closest(name, declared)
            expected = close or "a variable of docs/variables.md, or another prefix for your own"
            yield Finding(variable.where, name, "a variable that no role has", expected)
        elif not name.startswith("ansible_"):
            for close_name in difflib.get_close_matches(name.lower(), known, 1, ALMOST_EQUAL):
                yield Finding(variable.where, name, "a variable that no role has", close_name)


def _closest(name: str, declared: Declared) -> str:
    """The variable of the same role whose name is the most alike; empty when none is alike."""
    prefix = max((prefix for prefix in declared.prefixes if name.startswith(prefix)), key=len)
    rests = [option.removeprefix(prefix) for option in declared.options if option.startswith(prefix)]
    close = difflib.get_close_matches(name.removeprefix(prefix), rests, 1, ALIKE)
    return f"{prefix}{close[0]}" if close else ""


def check_files(inventory: Inventory) -> Iterator[Finding]:
    """What Ansible passes over in silence: keys that are there twice, variables of nobody."""
    for repeated in inventory.repeated:
        lines = f"the key twice, in lines {repeated.lines[0]} and {repeated.lines[1]}"
        yield Finding(repeated.where, repeated.key, lines, "it once; the last one would win")
    known = {"group": list(inventory.groups), "host": list(inventory.groups["all"])}
    for where, kind, owner in inventory.owners:
        if owner not in known[kind] and owner != LOCALHOST:
            names = ", ".join(sorted(known[kind])) or f"a {kind} that there is"
            yield Finding(where, kind, f"{owner}, which no inventory file names", f"one of {names}")


def check_values(inventory: Inventory, declared: Declared) -> Iterator[Finding]:
    """Missing settings, settings of the wrong type, those that cannot be resolved or differ between hosts."""
    for name, option in declared.options.items():
        value = inventory.settings.get(name)
        where = inventory.where(name)
        if isinstance(value, Unresolved):
            # Other roles' options may use what is known only later, for instance facts of a host.
            if is_shared(name):
                yield unresolved(where, name, value, "all")
        elif value is None and (option.get("required") or name in inventory.settings):
            yield Finding(where, name, "nothing", _required(name, option))
        elif name in inventory.settings:
            expected = role_options.expected(_listed(name, value), option)
            if expected:
                yield Finding(where, name, shown(value), expected)
    for (host, name), value in inventory.differing.items():
        found = f"{_text(value)} for {host} and {_text(inventory.settings.get(name))} for others"
        yield Finding(inventory.where(name, host), name, found, "one value for all hosts")


def _required(name: str, option: Mapping[str, Any]) -> str:
    """What a missing option should have been."""
    if name.endswith("_cidrs"):
        return "a list of an IPv4 and an IPv6 network; no family is ever guessed"
    return role_options.expected(None, option)


def _text(value: Any) -> str:
    """A value, or the text of one that could not be resolved."""
    return value.text if isinstance(value, Unresolved) else shown(value)


def _listed(name: str, value: Any) -> Any:
    """Names with commas between them as the list that the module which gets them makes of them."""
    return value.split(",") if name in COMMA_LISTS and isinstance(value, str) else value


def usable(inventory: Inventory, declared: Declared) -> dict[str, Any]:
    """Settings of the right type, numbers as numbers: what the other rules may rely on."""
    found: dict[str, Any] = {}
    for name, given in inventory.settings.items():
        option, value = declared.options[name], _listed(name, given)
        if value is None or isinstance(value, Unresolved) or role_options.expected(value, option):
            continue
        found[name] = int(value) if option.get("type") == "int" else value
    return found
