"""Reasons of hosts read as findings of the controller do."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason, refusal


def test_a_reason_reads_as_a_finding_does() -> None:
    for words in (("/a", "field", "x", "y", "command"), ("/a", "field", "x", "y")):
        assert Reason(*words).line() == Finding(*words).line()


def test_all_reasons_at_once() -> None:
    one, two = Reason("/b", "f", "x", "y"), Reason("/a", "f", "x", "y")
    assert refusal([one, two, one], "to reset this host").splitlines() == [
        "2 reasons not to reset this host:",
        "  1. /a: f: found x; expected y",
        "  2. /b: f: found x; expected y",
    ]
    assert refusal([one], "to go").startswith("1 reason not to go:")
