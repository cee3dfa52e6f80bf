"""Files go back to what they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import files

from tests.unit.module_utils.host.reset.samples import encoded, record

BLOCK = "# BEGIN twinstack cluster\n10.66.0.11 cp1\n# END twinstack cluster\n"


@pytest.mark.parametrize(
    ("current", "original", "expected"),
    [
        ("127.0.0.1 localhost\n" + BLOCK, "127.0.0.1 localhost\n", "127.0.0.1 localhost\n"),
        ("127.0.0.1 localhost\n" + BLOCK, "127.0.0.1 localhost", "127.0.0.1 localhost"),  # byte for byte
        (
            "127.0.0.1 localhost\n" + BLOCK + "10.0.0.9 later\n",
            "127.0.0.1 localhost\n",
            "127.0.0.1 localhost\n10.0.0.9 later\n",
        ),
        ("# twinstack: /swap none swap sw 0 0\n", "/swap none swap sw 0 0\n", "/swap none swap sw 0 0\n"),
        ("wholly ours\n", "theirs\n", "theirs\n"),
    ],
)
def test_files_go_back_and_later_edits_of_others_stay(current: str, original: str, expected: str) -> None:
    assert files.original_text(current, original) == expected


def test_recorded_files_are_restored_removed_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_record, "RECORD_PATH", str(tmp_path / "none" / "host.json"))
    hosts, folder, new = tmp_path / "hosts", tmp_path / "made", tmp_path / "made" / "new"
    folder.mkdir()
    new.write_text("x", encoding="utf-8")
    hosts.write_text("one\n" + BLOCK + "later\n", encoding="utf-8")
    hosts.chmod(0o640)
    notes = record(
        files={str(hosts): encoded("one\n"), str(new): None, str(folder): None, str(tmp_path / "gone"): None}
    )
    names = files.find_files(notes)
    assert names == [str(new), str(hosts), str(folder)]
    files.restore_files(notes, names)
    assert hosts.read_text(encoding="utf-8") == "one\nlater\n"
    assert hosts.stat().st_mode & 0o777 == 0o640
    assert not folder.exists()
    assert files.find_files(notes) == []  # the later edit is not taken for ours


def test_a_directory_with_other_peoples_files_stays(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "theirs").write_text("x", encoding="utf-8")
    assert files.find_files(record(files={str(tmp_path / "made"): None})) == []
