"""go_build: what a step's cache key holds, and where a module's files are."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import go_build, progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import GoModule
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext


def wrapper(folder: Path, version: str = "go1.26.8", ldflags: str = "-X a=b") -> go_build.Wrapper:
    """A wrapper module that requires one module."""
    (folder / "go.mod").write_text("module wrap\n\nrequire (\n\texample.org/a/b v1.2.3\n)\n")
    (folder / "go.sum").write_text("example.org/a/b v1.2.3 h1:x=\n")
    return go_build.Wrapper(folder, GoModule("wrap", "1.2.3", ldflags), version)


def test_another_compiler_flag_or_hash_is_another_program(tmp_path: Path) -> None:
    one = wrapper(tmp_path).program("p", "example.org/a/b/cmd/p").inputs
    assert wrapper(tmp_path).program("p", "example.org/a/b/cmd/p").inputs == one
    assert wrapper(tmp_path, version="go1.26.9").program("p", "example.org/a/b/cmd/p").inputs != one
    assert wrapper(tmp_path, ldflags="").program("p", "example.org/a/b/cmd/p").inputs != one
    (tmp_path / "go.sum").write_text("other\n")
    changed = go_build.Wrapper(tmp_path, GoModule("wrap", "1.2.3", "-X a=b"), "go1.26.8").program(
        "p", "example.org/a/b/cmd/p"
    )
    assert changed.inputs != one


def test_tags_reach_the_compiler_and_are_inputs_only_when_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def compiler(argv: list[str | Path], cwd: Path, env: dict[str, str]) -> str:
        commands.append([str(word) for word in argv])
        (tmp_path / "p").write_bytes(b"program")
        return ""

    monkeypatch.setattr(progress, "run", compiler)
    plain = wrapper(tmp_path).program("p", "example.org/a/b/cmd/p")
    tagged = wrapper(tmp_path).program("p", "example.org/a/b/cmd/p", ["one", "two"])
    for step in (plain, tagged):
        step.run(BuildContext(tmp_path, tmp_path, {}, {}, lambda _line: None))
    assert "tags" not in plain.inputs
    assert tagged.inputs == {**plain.inputs, "tags": ["one", "two"]}
    assert "-tags" not in commands[0]
    assert commands[1][:4] == ["go", "build", "-tags", "one,two"]


def test_programs_need_no_c_library_and_contain_no_paths() -> None:
    environment = go_build.environment()
    assert environment["CGO_ENABLED"] == "0"
    assert "-trimpath" in environment["GOFLAGS"]
    assert environment["GOTOOLCHAIN"] == go_build.GO_TOOLCHAIN, "the pinned hashes are this compiler's"


def test_a_path_outside_of_the_required_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(progress.CommandError, match=r"found no requirement that holds example\.org/other/file"):
        wrapper(tmp_path).source_path("example.org/other/file")
