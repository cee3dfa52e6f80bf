"""What a failing command says."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command


def test_a_failing_command_says_its_last_words() -> None:
    with pytest.raises(command.HostStateError, match="exit status 3: why"):
        command.run(["sh", "-c", "echo why >&2; exit 3"])
