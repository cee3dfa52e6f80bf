"""The linters and the type checker, each as it would be run by hand."""

from __future__ import annotations

import pytest

from tests.conftest import run

COMMANDS = {
    "ruff": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "yamllint": ("yamllint", "--strict", "."),
    "ansible-lint": ("ansible-lint", "--offline", "--strict"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_tool_finds_nothing(name: str) -> None:
    """The tool's whole output is the message, so that it can be acted on."""
    run(*COMMANDS[name]).succeeded()
