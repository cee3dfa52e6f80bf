"""The linters and the type checker, each as it would be run by hand."""

from __future__ import annotations

import pytest
import yaml

from tests.conftest import ROOT, run

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


def test_hooks_of_pre_commit_are_the_same_commands() -> None:
    """One list of commands: whoever commits with hooks meets what `make lint` would say."""
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in configuration["repos"] for hook in repository["hooks"]]
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks)
    called = {hook["name"]: tuple(hook["entry"].removeprefix(".venv/bin/").split()) for hook in hooks}
    assert called == COMMANDS
