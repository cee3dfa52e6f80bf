"""What an inventory may say about scenarios: names that there are, and tenants and services that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, Where
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model as scenario_model

RUN, ALL = "scenarios_run", "scenarios_all"
KNOWN = Path(__file__).resolve().parents[4] / "roles" / "scenarios" / "vars" / "main.yml"


def known() -> list[dict[str, Any]]:
    """The scenarios that role scenarios brings."""
    found: list[dict[str, Any]] = yaml.safe_load(KNOWN.read_text(encoding="utf-8"))["scenarios_known"]
    return found


def check_scenarios(settings: Mapping[str, Any], where: Where) -> Iterator[Finding]:
    """settings: of the right types, and tenants that their own rules found right; where: the file of a variable."""
    wanted = [str(name) for name in settings.get(RUN, [])]
    if not wanted or not settings.get("twinstack_mesh", True):
        return
    scenarios = [item for item in settings.get(ALL) or known() if isinstance(item, Mapping)]
    tenants = scenario_model.parse_tenants(settings.get("twinstack_tenants", []))
    for problem in scenario_model.problems(scenarios, tenants, wanted):
        yield Finding(where(RUN), f"{RUN}: {problem.scenario}", problem.found, problem.expected)
