"""What scenarios are run with, and the error when they cannot be."""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, fields

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, reason
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import BOTH, ScenarioError, Settings

from tests.unit.module_utils.scenarios.samples import NODES, TENANTS


def settings(*prefix: str) -> Settings:
    return Settings(TENANTS, NODES, "demo:1", "fortio:1", prefix, {}, 5, 5)


def test_threads_share_settings_that_none_can_change_and_defaults_are_the_modules() -> None:
    found = settings()
    with pytest.raises(FrozenInstanceError):
        found.settle_seconds = 9  # type: ignore[misc]
    assert [one.name for one in fields(Settings) if (one.default, one.default_factory) != (MISSING, MISSING)] == []


def test_what_is_of_both_families_is_told_from_either() -> None:
    assert BOTH not in FAMILIES and BOTH.lower() not in [family.lower() for family in FAMILIES]


def test_the_prefix_decides_where_outside_is_and_its_failure_stops_scenarios() -> None:
    sender = object.__new__(RequestSender)  # without a cluster: nothing here is sent from inside
    sender.settings = settings("sh", "-c", "echo '[]'")
    assert sender.outside([]) == []
    sender.settings = settings("sh", "-c", "echo no such namespace >&2; exit 3")
    with pytest.raises(ScenarioError, match="^outside: exit status 3: no such namespace$"):
        sender.outside([])


def test_that_scenarios_cannot_be_run_is_no_answer_of_a_pod_and_none_of_the_api() -> None:
    """Both are retried, or are a failed step of one scenario."""
    error = ScenarioError("demo/a: not ready")
    assert not isinstance(error, (OSError, ValueError, *API_ERRORS))
    assert reason(error) == "demo/a: not ready"
