"""Datagrams of others, and what a round trip shows of clocks."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe import messages


def test_clock_sample_halves_the_round_trip() -> None:
    assert messages.clock_sample(100.0, 105.5, 101.0) == (1.0, 5.0)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"cluster":"other","node":"n"}', b'{"cluster":"c"}'])
def test_foreign_datagrams_are_ignored(data: bytes) -> None:
    assert messages.parse(data, "c") is None
