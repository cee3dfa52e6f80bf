"""The versions that the bundle builds, out of its manifest and what that includes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import manifest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions

from tests.conftest import ROOT


def write(folder: Path, *parts: dict[str, Any]) -> Path:
    """A manifest of which all parts but the first are included; its path."""
    names = ["manifest.yml", *(f"part{number}.yml" for number in range(1, len(parts)))]
    for name, modules in zip(names, parts, strict=True):
        data: dict[str, Any] = {"schema": 1, "go_modules": modules}
        if name == names[0]:
            data["include"] = names[1:]
        (folder / name).write_text(yaml.safe_dump(data), encoding="utf-8")
    return folder / names[0]


def test_versions_of_all_files_are_found_and_only_a_clusters_are_its_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"kubernetes": {"version": "1.37.2"}, "demo": {"version": "0.1.0", "optional": True}},
        {"istio": {"version": "1.31.0", "optional": True}, "calico": {"version": "3.28.5", "optional": False}},
    )
    cluster = {"kubernetes": "1.37.2", "calico": "3.28.5"}
    assert bundle_versions.of_all(path) == {**cluster, "demo": "0.1.0", "istio": "1.31.0"}
    assert bundle_versions.of_cluster(path) == cluster


def test_a_manifest_without_modules_builds_no_versions(tmp_path: Path) -> None:
    path = write(tmp_path, {})
    assert bundle_versions.of_all(path) == bundle_versions.of_cluster(path) == {}
    path.write_text("schema: 1\n", encoding="utf-8")
    assert bundle_versions.of_all(path) == {}


@pytest.mark.parametrize("text", ["schema: 2\n", "a: [", "schema: 1\ninclude: [gone.yml]\n"])
def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(manifest.ManifestError):
        bundle_versions.of_all(path)


def test_the_real_versions_are_those_of_the_files_in_the_bundle() -> None:
    """A line `version:` below a module is where `make bump` writes it."""
    assert bundle_versions.MANIFEST == ROOT / "bundle" / "manifest.yml"
    built = bundle_versions.of_all()
    modules = {path.name for path in (ROOT / "bundle" / "go").iterdir()}
    assert set(built) == modules
    assert {"kubernetes", "containerd", "etcd", "coredns", "calico"} == set(bundle_versions.of_cluster())
    assert [name for name, version in built.items() if version.count(".") != 2] == []
