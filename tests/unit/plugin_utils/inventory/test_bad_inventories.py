"""Every bad inventory has exactly its own errors, however many those are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.module_utils.findings import errors
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import check as inventory_rules

from tests import inventories

CASES: list[dict[str, Any]] = [
    case | {"name": f"{path.stem}: {case['name']}"}
    for path in sorted((inventories.HERE / "bad").glob("*.yml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


def test_there_are_enough_and_each_has_its_name() -> None:
    """Forty is what the project promises."""
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names)) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_exactly_these_errors(case: dict[str, Any], tmp_path: Path) -> None:
    """Written as a folder, read by Ansible, judged: all lines and no others."""
    files = inventories.changed(inventories.good(), case["change"])
    inventory = inventories.load(inventories.write(tmp_path, files))
    findings = inventory_rules.check(inventory, inventories.rules())
    assert [finding.line() for finding in errors(findings)] == case["errors"]
