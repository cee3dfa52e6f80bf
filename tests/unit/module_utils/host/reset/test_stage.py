"""A stage is repeated until nothing is left; what stays ends the reset or is reported."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stage as reset_stage
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages

from tests.unit.module_utils.host.reset.samples import record


def test_a_stage_is_repeated_until_nothing_is_left() -> None:
    left = ["a", "b", "c"]
    stage = reset_stage.Stage("thing", lambda _: list(left), lambda _, names: left.remove(names[0]))
    assert reset_stage.clear(stage, record()) == []
    assert left == []


def test_what_stays_is_named_and_ends_the_reset() -> None:
    stage = reset_stage.Stage("mount", lambda _: ["/run/containerd/x"], lambda _, names: None)
    with pytest.raises(reset_stage.HostResetError, match="mount: still there after 0 s: /run/containerd/x"):
        reset_stage.clear(stage, record(), settle=0.1)


def test_what_may_stay_is_reported() -> None:
    stage = reset_stage.Stage("module", lambda _: ["overlay"], lambda _, names: None, required=False)
    assert reset_stages.apply(record(), [stage]) == ["module overlay"]
