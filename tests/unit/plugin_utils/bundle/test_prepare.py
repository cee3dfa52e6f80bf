"""A whole run of the bundle over a small manifest, from settings to bundle.json."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import manifest, prepare

FILES = {"tool": b"a tool", "net.yaml": b"kind: List\n"}


@pytest.fixture
def settings(tmp_path: Path, served: dict[str, str]) -> prepare.Settings:
    """Provider upstream with a program for workers and a manifest for the controller."""
    artifacts: list[dict[str, Any]] = []
    for name, kind, groups in (
        ("tool", "binary", ["worker", "controller"]),
        ("net.yaml", "manifest", ["controller"]),
    ):
        artifacts.append(
            {
                "name": name,
                "version": "{tool}",
                "kind": kind,
                "licence": "MIT",
                "groups": groups,
                "source": {"module": "tool", "program" if kind == "binary" else "file": "example.org/tool"},
                "upstream": {"url": served[name], "sha256": hashlib.sha256(FILES[name]).hexdigest()},
            }
        )
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump({"schema": 1, "suite": "trixie", "go_modules": {}, "artifacts": artifacts}))
    return prepare.Settings(
        manifest=path,
        provider="upstream",
        versions={"tool": "1.2.3"},
        groups=["worker", "controller"],
        cache=tmp_path / "cache",
        index=tmp_path / "artifacts" / "bundle.json",
    )


@pytest.fixture
def served(tmp_path: Path) -> dict[str, str]:
    """URLs of the files, which lie on disk: what HTTP does is tested in test_bundle_upstream.py."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return {name: f"http://127.0.0.1:9/{name}" for name in FILES}


@pytest.fixture(autouse=True)
def from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads of these tests are copies."""

    def copy(url: str, sha256: str, partial: Path) -> Path:
        partial.write_bytes((tmp_path / url.rsplit("/", 1)[1]).read_bytes())
        assert hashlib.sha256(partial.read_bytes()).hexdigest() == sha256
        return partial

    module = "ansible_collections.twinstack.core.plugins.plugin_utils.bundle.upstream.download"
    monkeypatch.setattr(module, copy)


def silent(_line: str) -> None:
    """A progress line that nobody reads."""


def test_a_run_writes_what_other_roles_read(settings: prepare.Settings) -> None:
    outcome = prepare.prepare(settings, silent)
    assert outcome.built == ["program tool", "packed tool", "net.yaml"]
    artifacts = bundle_index.read(settings.index.parent)
    (tool,) = bundle_index.for_groups(artifacts, ["worker"], ["binary"])
    assert (tool["file"], tool["version"], tool["licence"]) == ("tool", "1.2.3", "MIT")
    assert Path(tool["path"]).read_bytes() == FILES["tool"]
    assert tool["size"] == len(FILES["tool"])
    assert Path(tool["path"]).stat().st_mode & 0o111
    assert json.loads(outcome.after)["provider"] == "upstream"


def test_a_program_for_this_machine_is_linked_under_its_name(settings: prepare.Settings) -> None:
    link = settings.index.parent / "bin" / "tool"
    link.parent.mkdir(parents=True)
    link.symlink_to("/an/older/one")
    prepare.prepare(settings, silent)
    assert link.read_bytes() == FILES["tool"]
    assert link.stat().st_mode & 0o111


def test_a_second_run_does_nothing(settings: prepare.Settings) -> None:
    prepare.prepare(settings, silent)
    stamp = settings.index.stat().st_mtime_ns
    outcome = prepare.prepare(settings, silent)
    assert outcome.built == []
    assert outcome.before == outcome.after
    assert settings.index.stat().st_mtime_ns == stamp


def test_check_says_what_would_be_made_and_makes_nothing(settings: prepare.Settings) -> None:
    outcome = prepare.prepare(settings, silent, check=True)
    assert outcome.built == ["program tool", "packed tool", "net.yaml"]
    assert not settings.cache.exists()
    assert not settings.index.exists()


def test_only_the_requested_groups_are_prepared(settings: prepare.Settings) -> None:
    prepare.prepare(replace(settings, groups=["worker"]), silent)
    assert set(bundle_index.read(settings.index.parent)) == {"tool"}


def test_an_unknown_step_to_rebuild_is_answered_with_the_known(settings: prepare.Settings) -> None:
    with pytest.raises(
        manifest.ManifestError, match=r"bundle_rebuild: found tool; expected .*net\.yaml, packed tool, program tool"
    ):
        prepare.prepare(replace(settings, rebuild=["tool"]), silent)
    assert prepare.prepare(replace(settings, rebuild=["net.yaml"]), silent).built == [
        "program tool",
        "packed tool",
        "net.yaml",
    ]
    assert prepare.prepare(replace(settings, rebuild=["net.yaml"]), silent).built == ["net.yaml"]


def test_nothing_is_fetched_while_one_hash_is_missing(settings: prepare.Settings) -> None:
    data = yaml.safe_load(settings.manifest.read_text())
    data["artifacts"][1]["upstream"]["sha256"] = None
    settings.manifest.write_text(yaml.safe_dump(data))
    with pytest.raises(manifest.ManifestError, match=r"net\.yaml\.upstream\.sha256: found null"):
        prepare.prepare(settings, silent)
    assert not settings.cache.exists()


def test_a_failure_names_the_step_and_says_that_work_is_kept() -> None:
    text = prepare.explain(ValueError("no route"), ["building a (1 of 2)", "building b (2 of 2)"])
    assert text == "building b (2 of 2):\nno route\nFinished files are kept: the next run goes on from here."
    assert prepare.explain(ValueError("no route"), []) == "no route"
