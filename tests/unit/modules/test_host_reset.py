"""Module host_reset refuses before it undoes anything, with all reasons; its stages are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import files, mounts, packages
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Stage
from ansible_collections.twinstack.core.plugins.modules import host_reset

from tests.unit.module_utils.host.reset.samples import record


class Host:
    """A host of the cluster twinstack with one thing to undo."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = ["kubelet.service"]
        self.recorded = folder / "host.json"
        self.mounted: list[mounts.Mount] = []
        host_record.save(record(cluster="twinstack"), str(self.recorded))
        monkeypatch.setattr(host_record, "RECORD_PATH", str(self.recorded))
        monkeypatch.setattr(host_record, "load", lambda: json.loads(self.recorded.read_text(encoding="utf-8")))
        monkeypatch.setattr(files, "STORE", str(folder / "store"))
        monkeypatch.setattr(files, "find_directories", lambda _record: list(self.left))
        monkeypatch.setattr(mounts, "find_foreign", lambda _folders: self.mounted)
        monkeypatch.setattr(packages, "find_kept", lambda _record: ["package ipset, needed by firewalld"])
        stage = Stage("unit", lambda _record: list(self.left), lambda _record, _names: self.left.clear())
        monkeypatch.setattr(reset_stages, "stages", lambda _mounts, recorded: (stage,) if recorded else ())

    def run(self, capsys: pytest.CaptureFixture[str], check: bool = False, **given: Any) -> dict[str, Any]:
        """One run of the module; what it printed."""
        with patch_module_args({**given, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            host_reset.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host of the cluster."""
    return Host(tmp_path, monkeypatch)


def test_its_own_name_undoes_and_what_stays_is_listed(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    told = host.run(capsys, check=True)
    assert (told["steps"], told["changed"], host.left) == (["unit kubelet.service"], True, ["kubelet.service"])
    done = host.run(capsys, cluster="twinstack")
    assert (done["steps"], done["bare"], host.left) == (["unit kubelet.service"], True, [])
    assert done["kept"] == told["kept"] == ["package ipset, needed by firewalld"]


@pytest.mark.parametrize("check", [False, True])
def test_all_reasons_come_before_anything_is_undone(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    """H6: another name, and data on a file system of the host's own."""
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "data").touch()
    host.mounted = [mounts.Mount(str(tmp_path / "etcd"), "ext4", "/dev/vdb")]
    refused = host.run(capsys, check=check, cluster="other")
    assert refused["failed"] and refused["msg"].startswith("2 reasons not to reset this host; nothing was undone:")
    assert "cluster: found twinstack; expected other" in refused["msg"] and "/dev/vdb" in refused["msg"]
    assert host.left == ["kubelet.service"]
    done = host.run(capsys, check=check, cluster="twinstack", mounts=[f"{tmp_path}/etcd/"])
    assert done["changed"] is True


def test_no_name_is_enough_for_check_mode_alone(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert "found nothing; expected the name of the cluster" in host.run(capsys)["msg"]
    assert host.left == ["kubelet.service"]


def test_a_host_that_is_not_ours_needs_a_word(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.recorded.unlink()
    host.recorded = host.recorded.with_name("none.json")
    host.recorded.write_text(json.dumps(record()), encoding="utf-8")
    found = host.run(capsys, cluster="twinstack")
    assert (found["changed"], found["bare"], host.left) == (False, False, ["kubelet.service"])
    assert host.run(capsys, cluster="twinstack", without_record=True)["bare"] is True
    assert host.left == []
