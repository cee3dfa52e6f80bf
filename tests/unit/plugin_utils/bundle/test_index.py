"""bundle.json as the roles read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index


def write(folder: Path, path: str, schema: int = 2) -> None:
    """A bundle.json with one artifact."""
    artifact = {"name": "a", "kind": "binary", "groups": ["worker"], "path": path}
    (folder / "bundle.json").write_text(json.dumps({"schema": schema, "artifacts": {"a": artifact}}))


def test_artifacts_are_chosen_by_group_and_kind(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    write(tmp_path, str(tmp_path / "file"))
    artifacts = bundle_index.read(tmp_path)
    assert [item["name"] for item in bundle_index.for_groups(artifacts, ["worker"], ["binary"])] == ["a"]
    assert bundle_index.for_groups(artifacts, ["control_plane"], ["binary"]) == []
    assert bundle_index.for_groups(artifacts, ["worker"], ["image_set"]) == []


def test_each_defect_is_named_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(bundle_index.BundleIndexError, match="no such file.*playbooks/bundle.yml"):
        bundle_index.read(tmp_path)
    write(tmp_path, str(tmp_path / "gone"))
    with pytest.raises(bundle_index.BundleIndexError, match="the files of a are gone.*playbooks/bundle.yml"):
        bundle_index.read(tmp_path)
    write(tmp_path, str(tmp_path / "gone"), schema=1)
    with pytest.raises(bundle_index.BundleIndexError, match="schema: found 1, expected 2"):
        bundle_index.read(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(bundle_index.BundleIndexError, match="no valid JSON"):
        bundle_index.read(tmp_path)
