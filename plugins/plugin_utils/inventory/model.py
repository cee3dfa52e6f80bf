"""An inventory as plain data, which the rules judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.files import HOSTS_FILE, Repeated, Variable

GROUPS = ("control_plane", "worker")
FALLBACK = "group_vars/all"
COMMAND_LINE = "command line"
LOCALHOST = "localhost"
HOST_VARIABLES = ("ipv4", "ipv6", "ansible_host", "ansible_port")


@dataclass(frozen=True)
class Unresolved:
    """A value whose expressions cannot be resolved. text: the value as it is written."""

    text: str


@dataclass(frozen=True)
class Inventory:
    """An inventory as plain data.

    groups: hosts by group, with ``all``. hosts: HOST_VARIABLES, and what looks like them, by host. settings: declared
    variables that are set, and all shared ones that have a default. differing: shared settings by (host, name) where a
    host has another value than the first one. variables: which file sets what. repeated: keys that are in a file twice.
    owners: (file, ``group`` or ``host``, its name) of everything in group_vars and host_vars.
    """

    groups: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    differing: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    repeated: tuple[Repeated, ...] = ()
    owners: tuple[tuple[str, str, str], ...] = ()
    hosts_file: str = HOSTS_FILE

    def where(self, name: str, host: str = "") -> str:
        """The file that sets a variable for a host, or for all; FALLBACK when none does."""
        ranks = []
        for variable in self.variables:
            if variable.name == name and not (variable.kind == "host" and host and variable.owner != host):
                closeness = (variable.where == COMMAND_LINE, variable.kind == "host", variable.owner != "all")
                ranks.append((closeness, variable.where))
        return max(ranks)[1] if ranks else FALLBACK


def nodes(inventory: Inventory) -> list[str]:
    """Hosts of the cluster, each once."""
    groups = [inventory.groups.get(name, ()) for name in GROUPS]
    return list(dict.fromkeys(host for group in groups for host in group))


def unresolved(where: str, name: str, value: Unresolved, hosts: str) -> Finding:
    """A value with an expression that cannot be resolved."""
    command = f"ansible -i INVENTORY {hosts} -c local -m ansible.builtin.debug -a var={name}"
    return Finding(where, name, f"{value.text}, which cannot be resolved", "a value without unknown variables", command)
