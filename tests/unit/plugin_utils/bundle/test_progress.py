"""What the bundle says while it works."""

from __future__ import annotations

import time

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min"), (100, "1 min 40 s"), (599, "9 min 59 s"), (725, "12 min")],
)
def test_durations_are_spelled_for_people(seconds: float, text: str) -> None:
    assert progress.spell(seconds) == text


def test_a_start_line_knows_last_time_and_what_is_left() -> None:
    pending = ["a", "b", "c"]
    last = {"a": 5.0, "b": 540.0, "c": 180.0}
    assert progress.start_line(pending, 1, last) == "building b (2 of 3), took 9 min last time, about 12 min left"


def test_a_start_line_admits_what_it_cannot_know() -> None:
    assert progress.start_line(["a", "b"], 0, {}) == "building a (1 of 2)"
    line = progress.start_line(["a", "b", "c"], 0, {"b": 30.0})
    assert line == "building a (1 of 3), about 30 s left and 2 never built here"


def test_a_long_step_is_heard_of_until_it_ends() -> None:
    said: list[str] = []
    with progress.heartbeat("kubelet", said.append, every=0.02):
        time.sleep(0.1)
    count = len(said)
    assert count >= 2
    assert said[0] == "still building kubelet, 0 s so far"
    time.sleep(0.05)
    assert len(said) == count


def test_a_failing_command_is_reported_with_its_words() -> None:
    with pytest.raises(progress.CommandError, match=r"(?s)sh -c .*exit status 3:\nno flour"):
        progress.run(["sh", "-c", "echo no flour >&2; exit 3"])
    with pytest.raises(
        progress.CommandError, match=r"no-such-command: no such command\. Try: requirements/install\.sh"
    ):
        progress.run(["no-such-command"])
