"""Outside the cluster: its shell and its listener."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.outside import listening, run_outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch

from tests.unit.module_utils.verify.shell import run


@pytest.mark.parametrize(("address", "url", "seen"), [("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("::1", "[::1]", "::1")])
def test_the_listener_returns_the_source_in_both_families(address: str, url: str, seen: str) -> None:
    with listening((), {"IPv4": "127.0.0.1", "IPv6": "::1"}) as outside:
        action = Fetch(f"http://{url}:{outside.port}/", bodies=frozenset({seen}), source=True)
        assert run({0: action})[0].ok
    assert not run({0: action})[0].ok, "the listener is still there"


def test_a_listener_that_cannot_start_says_why() -> None:
    with pytest.raises(OSError, match="did not start"), listening(("sh", "-c", "echo no >&2; exit 1"), {"IPv4": "::"}):
        pass


def test_a_failing_prefix_is_reported() -> None:
    with pytest.raises(OSError, match="exit status 3: nope"):
        run_outside(("sh", "-c", "echo nope >&2; exit 3"), batch({}), 5)


def test_without_addresses_requests_come_from_there_but_nothing_listens() -> None:
    with listening(("false",), {}) as outside:
        assert outside == Outside()


def test_the_prefix_stands_before_the_shell() -> None:
    assert run_outside(("echo", "there:"), batch({}), 30).startswith("there: sh -c ")


def test_a_shell_that_does_not_end_is_given_up() -> None:
    with pytest.raises(OSError, match="no answer in 0 s"):
        run_outside(("sh", "-c", "exec sleep 20"), batch({}), 0.1)
