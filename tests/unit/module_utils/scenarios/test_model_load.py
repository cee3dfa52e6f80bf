"""Scenarios: what counts as keeping to a limit."""

from __future__ import annotations

import json

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model


def log(code: int, *seconds: float) -> str:
    """Lines of fortio's access log."""
    lines = [
        {"latency": 0.01, "timestamp": int((1795620285 + second) * 1e9), "ok": code == 200, "details": str(code)}
        for second in seconds
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_an_access_log_is_counted_by_second() -> None:
    load = model.parse_access_log(
        "Fortio says\n" + log(200, 0.0, 0.9, 1.2) + log(429, 1.5) + log(503, 2.0) + "All done 5"
    )
    assert (load.accepted, load.refused, load.others, load.total) == ({0: 2, 1: 1}, {1: 1}, {"503": 1}, 5)
    assert model.parse_access_log("nothing").total == 0


@pytest.mark.parametrize(
    ("accepted", "refused", "others", "right"),
    [
        ((80, 80), (50, 50), {}, True),
        ((150, 30), (10, 90), {}, True),  # how tokens fall between the families is chance
        ((300, 300), (5, 5), {}, False),  # a limit that was raised
        ((40, 40), (90, 90), {}, False),  # too little was let through
        ((80, 80), (50, 0), {}, False),  # one family is not limited
        ((80, 80), (50, 50), {"503": 1}, False),
    ],
)
def test_both_families_together_keep_to_a_limit(
    accepted: tuple[int, int], refused: tuple[int, int], others: dict[str, int], right: bool
) -> None:
    loads = {
        family: model.Load({0: accepted[number]}, {0: refused[number]} if refused[number] else {}, others)
        for number, family in enumerate(("IPv4", "IPv6"))
    }
    ok, detail = model.judge_load(loads, limit=20, seconds=8, buckets=1)
    assert ok is right, detail


@pytest.mark.parametrize(("late", "right"), [(0.0, False), (3.0, True), (3600.0, False)])
def test_a_family_that_sends_later_finds_the_limit_filled_again(late: float, right: bool) -> None:
    """On a busy host one begins seconds after the other; a clock that is an hour off explains nothing."""
    loads = {
        "IPv4": model.Load({0: 120}, {0: 50}, {}, 1000.0, 1008.0),
        "IPv6": model.Load({0: 100}, {0: 50}, {}, 1000.0 + late, 1008.0 + late),
    }
    assert model.judge_load(loads, limit=20, seconds=8, buckets=1)[0] is right
