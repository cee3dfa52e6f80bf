"""Scenarios from beginning to end: the order, what they bring, and when it goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import run as scenario_run

from tests.conftest import Run
from tests.unit.module_utils.scenarios.samples import KNOWN


def test_telemetry_of_all_the_rest_comes_last() -> None:
    assert list(scenario_run.telemetry_last(KNOWN)) == ["S1", "S2", "S3", "S4", "S5", "S7", "S6"]


def test_what_scenarios_bring_is_kept_for_those_that_need_it() -> None:
    assert scenario_run.needing_fixtures(KNOWN) == {"S5", "S7"}
    assert scenario_run.needing_fixtures([item for item in KNOWN if item["id"] in ("S1", "S6")]) == set()
    asks_it = {"id": "A", "traced": True, "requests": [{"tenant": "foo", "url": "http://dual.twinstack-demo/"}]}
    looks_at_it = {"id": "B", "kind": "telemetry", "traced": "A"}  # sends it again while a graph lacks something
    assert scenario_run.needing_fixtures([asks_it, looks_at_it]) == {"A", "B"}


class Recorder:
    """Plays the engine: records its calls, and returns one result for each scenario."""

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.fixtures = self.telemetry = self.cluster = self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def noted(*_: Any) -> dict[str, Any]:
            self.done.append(name)
            return {}

        return noted

    def run(self, scenario: dict[str, Any]) -> list[model.Result]:
        """A result without a step."""
        self.done.append(scenario["id"])
        return [model.Result(scenario["id"], "IPv4", "t")]


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (["S1", "S5", "S6", "S7"], "create S1 S3 wait S5 wait S7 start_removal S6"),
        (["S5"], "create wait S5 start_removal"),
        (["S1", "S2"], "S1 S2"),
    ],
)
def test_fixtures_are_removed_when_no_scenario_needs_them(wanted: list[str], order: str) -> None:
    done: list[str] = []
    results, _ = scenario_run.run_all(cast("scenario_run.Engine", Recorder(done)), KNOWN, wanted)
    steps = [step for step in done if step not in ("wait_until_ready", "count", "topology")]
    assert steps == ["clean", *order.split(), "clean"]
    assert [result["id"] for result in results] == sorted(result["id"] for result in results), "in their own order"


def test_the_module_refuses_what_cannot_be_run_before_it_sends_anything(
    tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    given = {
        "kubeconfig": str(tmp_path / "none"),
        "scenarios": [{"id": "A", "requests": [{"tenant": "nobody", "service": "x"}]}],
        "run": ["A", "B"],
        "tenants": [],
        "nodes": [],
        "demo_image": "demo:1",
        "fortio_image": "fortio:1",
    }
    tasks = [{"name": "S", "twinstack.core.scenarios": given}]
    python = {"ansible_python_interpreter": sys.executable}
    play = {"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": python}
    (tmp_path / "play.yml").write_text(json.dumps([play | {"tasks": tasks}]), encoding="utf-8")
    done = playbook("-i", "localhost,", tmp_path / "play.yml")
    assert done.code != 0
    assert "B: found no such scenario, expected one of A" in done.output
    assert "A: found tenant nobody, expected one of twinstack_tenants (none)" in done.output
