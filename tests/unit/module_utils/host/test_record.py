"""The record of what was changed on a host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="expected a JSON object"):
        host_record.load(str(path))


def test_text_that_is_no_json_is_refused_with_the_files_name(tmp_path: Path) -> None:
    """Taken for an empty record, it would lose the originals at the next save."""
    path = tmp_path / "host.json"
    path.write_text('{"cluster": "de', encoding="utf-8")
    with pytest.raises(ValueError, match=rf"^{path}: found no valid JSON \(.*\); restore it from a backup$"):
        host_record.load(str(path))


def test_a_host_without_a_record_has_an_empty_one_of_its_own(tmp_path: Path) -> None:
    """What one caller writes into it is in no other's."""
    first = host_record.load(str(tmp_path / "none"))
    assert first == host_record.EMPTY
    first["sysctls"]["vm/overcommit_memory"] = "0"
    first["packages"].append("ipset")
    assert host_record.load(str(tmp_path / "none")) == host_record.EMPTY
    assert host_record.EMPTY["sysctls"] == {} and host_record.EMPTY["packages"] == []


def test_a_record_of_another_version_is_filled_up_and_loses_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text('{"cluster": "demo", "sysctls": {"a": "1"}, "colour": "red"}', encoding="utf-8")
    assert host_record.load(str(path)) == {**host_record.EMPTY, "cluster": "demo", "sysctls": {"a": "1"}}


def test_what_is_saved_is_loaded_and_only_root_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "host.json"
    record = {**host_record.EMPTY, "cluster": "demo", "files": {"/etc/a": None}, "units": {"a.service": "x"}}
    host_record.save({**record, "cluster": "another, longer name"}, str(path))
    host_record.save(record, str(path))
    assert host_record.load(str(path)) == record
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["host.json"], "nothing half-written stays"


def test_a_failed_save_leaves_the_old_record(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    host_record.save({"cluster": "demo"}, str(path))
    with pytest.raises(TypeError):
        host_record.save({"cluster": "new", "units": object()}, str(path))
    assert json.loads(path.read_text(encoding="utf-8")) == {"cluster": "demo"}
