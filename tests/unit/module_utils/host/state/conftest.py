"""Where the record of changes lies in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def record_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record lies in the test's own folder."""
    # Not at the top: pytest loads this file before Ansible's loader is in place, which then lacks the collection.
    from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record

    path = tmp_path / "record" / "host.json"
    load, save = host_record.load, host_record.save
    monkeypatch.setattr(host_record, "load", lambda: load(str(path)))
    monkeypatch.setattr(host_record, "save", lambda record: save(record, str(path)))
    return path
