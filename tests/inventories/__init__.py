"""Inventories as test data, written as folders and read by Ansible itself."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import reader
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import check as inventory_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import versions

HERE = Path(__file__).parent
#: The versions that cases and messages name, so that another version in the bundle changes none of them.
VERSIONS = {"kubernetes": "1.37.2", "containerd": "2.4.2", "etcd": "3.7.3", "coredns": "1.15.0", "calico": "3.28.5"}
ISTIO = "1.31.0"
#: In a change: takes the key, or the whole file, away.
REMOVED = "(removed)"


def good() -> dict[str, Any]:
    """The inventory that has no errors, by file."""
    loaded: dict[str, Any] = yaml.safe_load((HERE / "good.yml").read_text(encoding="utf-8"))
    return loaded


def changed(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The base with a change merged in, key by key."""
    merged = copy.deepcopy(base)
    for key, value in change.items():
        if value == REMOVED:
            merged.pop(key)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = changed(merged[key], value)
        else:
            merged[key] = value
    return merged


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Write an inventory's files below a folder, text as it is and data as YAML, and return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        path.write_text(text, encoding="utf-8")
    return folder


@cache
def rules() -> inventory_rules.Rules:
    """The collection's rules, read once, for a bundle of VERSIONS.

    Without the lookups, whose plugins only a run of Ansible can load.
    """
    loaded = inventory_rules.load_rules()
    resolved = {"twinstack_cache_dir": "~/.cache/twinstack", "twinstack_versions": VERSIONS}
    declared = replace(loaded.declared, defaults={**loaded.declared.defaults, **resolved})
    pairs, mesh_pairs = versions.tested(VERSIONS, ISTIO)
    return replace(loaded, declared=declared, pairs=pairs, mesh_pairs=mesh_pairs)


def load(folder: Path, command_line: Collection[str] = ()) -> Inventory:
    """An inventory folder as Ansible reads it."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(folder)])
    manager = VariableManager(loader=loader, inventory=inventory)
    return reader.read(
        hostvars=HostVars(inventory, manager, loader),
        groups=inventory.get_groups_dict(),
        templar=Templar(loader=loader),
        sources=[folder],
        command_line=command_line,
        declared=rules().declared,
    )
