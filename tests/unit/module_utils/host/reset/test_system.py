"""Packages of the install, in a sample text."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.host.reset import system


def test_packages_that_left_something() -> None:
    assert system.parse_packages("a\tii \nb\trc \nc\tun \nd\tpn \n") == ["a", "b"]
