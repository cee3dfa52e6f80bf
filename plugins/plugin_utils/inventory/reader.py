"""From what Ansible has loaded to the plain data that inventory/rules judge.

Nothing here needs a role to have run: raw variables are taken from Ansible, roles' defaults are put below them, and
each value is resolved on its own, so that one that cannot be is one finding among the others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import files as inventory_files
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import (
    COMMAND_LINE,
    FALLBACK,
    HOST_VARIABLES,
    LOCALHOST,
    Inventory,
    Unresolved,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.role_options import Declared, is_shared

# Names that people give to an address of one family; only `ipv4` and `ipv6` are read.
_ADDRESS_NAME = re.compile(r"ip_?v?_?[46](_?addr(ess)?)?", re.IGNORECASE)


class HostVariables(Protocol):
    """The part of Ansible's hostvars that is used."""

    def raw_get(self, host_name: str) -> Any:
        """A host's variables, not resolved."""


class Templar(Protocol):
    """The part of Ansible's templar that is used."""

    def copy_with_new_env(self, *, available_variables: Any) -> Templar:
        """A templar with other variables."""

    def template(self, variable: Any) -> Any:
        """The value with everything resolved. Raises AnsibleError."""


def read(
    hostvars: HostVariables,
    groups: Mapping[str, Sequence[str]],
    templar: Templar,
    sources: Sequence[Path],
    command_line: Collection[str],
    declared: Declared,
) -> Inventory:
    """The inventory as plain data.

    groups: hosts by group, with ``all`` and ``ungrouped``. sources: what was given with ``-i``. command_line: names of
    the variables given with ``-e``.
    """
    scan = inventory_files.scan(sources)
    listed = {name: tuple(str(host) for host in hosts) for name, hosts in groups.items()}
    names = listed["all"]
    defaults = _trusted(declared.defaults)
    hosts: dict[str, dict[str, Any]] = {}
    settings: dict[str, dict[str, Any]] = {}
    all_names: set[str] = set()
    # Without hosts, what group_vars/all says can still be read: Ansible gives it to its implicit localhost too.
    for name in names or (LOCALHOST,):
        raw = hostvars.raw_get(name)
        all_names.update(raw)
        scope = {**defaults, **raw, "hostvars": hostvars, "groups": groups}
        scoped = templar.copy_with_new_env(available_variables=scope)
        wanted = [key for key in raw if key in HOST_VARIABLES or _ADDRESS_NAME.fullmatch(key)]
        if name in names:
            hosts[name] = {str(key): _resolved(scoped, raw[key]) for key in wanted}
        settings[name] = {str(key): _resolved(scoped, raw[key]) for key in raw if key in declared.options}
        if len(settings) == 1:
            shared = [key for key in defaults if is_shared(key) and key not in raw]
            values = {key: _resolved(scoped, defaults[key]) for key in shared}
            # A default that needs a host cannot be resolved without any, and that there is none is a finding already.
            settings[name] |= {key: value for key, value in values.items() if not isinstance(value, Unresolved)}
    # The first host's settings stand for all; what others have beside or instead of them is reported apart.
    first, *others = [name for name in settings if name != LOCALHOST] or [LOCALHOST]
    common = next(iter(settings.values())) | settings[first]
    differing = {
        (name, key): value
        for name in others
        for key, value in settings[name].items()
        if is_shared(key) and value != common.get(key)
    }
    for name in others:
        common = settings[name] | common
    known = {variable.name for variable in scan.variables}
    variables = placed(scan, command_line)
    variables += tuple(
        inventory_files.Variable(str(name), FALLBACK, "group", "all")
        for name in sorted(all_names)
        if name not in known and name not in command_line and name.startswith(declared.prefixes)
    )
    return Inventory(
        groups=listed,
        hosts=hosts,
        settings=common,
        differing=differing,
        variables=variables,
        repeated=scan.repeated,
        owners=scan.owners,
        hosts_file=scan.hosts_file,
    )


def placed(scan: inventory_files.Scan, command_line: Collection[str]) -> tuple[inventory_files.Variable, ...]:
    """Which file sets which variable, or the command line instead.

    command_line: names of the variables given with ``-e``.
    """
    variables = tuple(variable for variable in scan.variables if variable.name not in command_line)
    return variables + tuple(
        inventory_files.Variable(str(name), COMMAND_LINE, "group", "") for name in sorted(command_line)
    )


def _resolved(templar: Templar, value: Any) -> Any:
    """The value with its expressions resolved, or Unresolved."""
    try:
        return templar.template(value)
    except AnsibleError:
        return Unresolved(shown(value))


def _trusted(value: Any) -> Any:
    """A role's default as Ansible would load it: with expressions that may be resolved."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [_trusted(item) for item in value]
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    return value
