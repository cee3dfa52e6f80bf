"""The registry of probe groups: complete, in order, and every group says what it must."""

from __future__ import annotations

import importlib
from collections import Counter

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import groups
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import BY_ID, GROUPS, ids
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan

from tests.conftest import ROOT
from tests.unit.module_utils.verify.samples import LAB, NAMESPACE, RUN, raw_observed

FOLDER = ROOT / "plugins" / "module_utils" / "verify" / "groups"
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_every_file_of_the_folder_is_a_registered_group(name: str) -> None:
    """And is named after its group."""
    module = importlib.import_module(f"{groups.__name__}.{name}")
    assert module.GROUP in GROUPS
    assert module.GROUP.id.replace("-", "_") == name


def test_every_group_is_registered_once() -> None:
    assert [name for name, times in Counter(group.id for group in GROUPS).items() if times > 1] == []
    assert len(GROUPS) == len(MODULES) == len(BY_ID)


def test_groups_of_one_part_are_together_in_the_report() -> None:
    parts = list(Part)
    assert [group.part for group in GROUPS] == sorted((group.part for group in GROUPS), key=parts.index)
    assert ids(*parts) == tuple(BY_ID)


def test_every_group_is_planned_under_its_own_name_and_has_a_next_command() -> None:
    """A probe's group and the beginning of its id are what running and reporting look its group up by."""
    todo = plan(observe(raw_observed()), NAMESPACE, 18080, "", LAB, RUN)
    first: dict[str, Probe] = {}
    for probe in todo.probes:
        assert probe.id.startswith(f"{probe.group}/{probe.family}/")
        first.setdefault(probe.group, probe)
    assert set(first) == set(BY_ID)
    for name, probe in first.items():
        assert BY_ID[name].next_command(probe, Verdict(False, "broken")).strip()


def test_one_group_sends_what_telemetry_looks_for_before_telemetry_is_queried() -> None:
    turns = list(Turn)
    (traffic,) = (group for group in GROUPS if group.traffic)
    assert turns.index(traffic.turn) < turns.index(Turn.TELEMETRY) == len(turns) - 1
