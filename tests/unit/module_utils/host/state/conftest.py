"""Where the record of changes lies in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record


@pytest.fixture
def record_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record lies in the test's own folder."""
    path = tmp_path / "record" / "host.json"
    load, save = host_record.load, host_record.save
    monkeypatch.setattr(host_record, "load", lambda: load(str(path)))
    monkeypatch.setattr(host_record, "save", lambda record: save(record, str(path)))
    return path
