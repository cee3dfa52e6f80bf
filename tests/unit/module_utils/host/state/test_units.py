"""Units: what has changed since the last start of one, and what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state import units
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import UnitSpec


def test_a_fingerprint_follows_content_and_presence(tmp_path: Path) -> None:
    path = tmp_path / "f"
    absent = units.fingerprint([str(path)])
    path.write_text("1")
    first = units.fingerprint([str(path)])
    path.write_text("2")
    assert len({absent, first, units.fingerprint([str(path)])}) == 3


@pytest.mark.parametrize(
    ("known", "calls"),
    [
        ("LoadState=loaded\nNeedDaemonReload=no", []),
        ("LoadState=loaded\nNeedDaemonReload=yes", ["daemon-reload"]),
        ("LoadState=not-found\nNeedDaemonReload=no", ["daemon-reload"]),
    ],
)
def test_units_are_reloaded_only_where_systemd_knows_another_state(
    tmp_path: Path, record_path: Path, monkeypatch: pytest.MonkeyPatch, known: str, calls: list[str]
) -> None:
    called: list[str] = []

    def systemctl(argv: Sequence[str]) -> str:
        called.append(" ".join(argv[1:]))
        return f"Id=a.service\nUnitFileState=disabled\nActiveState=inactive\n{known}\n"

    monkeypatch.setattr(units, "run", systemctl)
    record = host_record.load()
    for step in units.unit_steps([UnitSpec("a.service")], record, set()):
        step.apply()
    assert called[1:] == [*calls, "enable --no-reload a.service", "start a.service"]
