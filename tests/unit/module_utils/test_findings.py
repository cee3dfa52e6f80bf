"""Findings: their one line, their order, and which of them refuse a run."""

from __future__ import annotations

import json

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, errors, summary

WRONG = Finding("hosts.yml", "twinstack_pod_cidr", "10.0.0.0/33", "a network of IPv4", "ipcalc 10.0.0.0/33")
OTHER = Finding("all.yml", "twinstack_mode", "x", "ipvs or nftables")
LATE = Finding("a.yml", "a", "1", "2", level="warning")


def test_a_line_says_where_what_was_found_what_was_expected_and_what_to_try() -> None:
    assert WRONG.line() == (
        "hosts.yml: twinstack_pod_cidr: found 10.0.0.0/33; expected a network of IPv4. Try: ipcalc 10.0.0.0/33"
    )
    assert OTHER.line() == "all.yml: twinstack_mode: found x; expected ipvs or nftables", "nothing to try"


def test_only_errors_refuse_a_run_and_come_in_the_same_order_each_time() -> None:
    assert errors([WRONG, LATE, OTHER]) == errors([OTHER, WRONG, LATE]) == [OTHER, WRONG]
    assert errors([LATE]) == []


def test_a_summary_has_everything_numbered_with_errors_first() -> None:
    assert summary([LATE, WRONG, OTHER], "Found").splitlines() == [
        "Found:",
        f"  1. [error] {OTHER.line()}",
        f"  2. [error] {WRONG.line()}",
        f"  3. [warning] {LATE.line()}",
    ]
    assert summary(iter([]), "Found") == "Found:"


def test_as_data_it_is_what_it_was() -> None:
    assert Finding(**json.loads(json.dumps(WRONG.as_dict()))) == WRONG
    assert LATE.as_dict()["level"] == "warning"
