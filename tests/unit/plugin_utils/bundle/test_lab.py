"""The lab's kernel and disk image as steps: what makes them anew, and what their builders are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian, lab, lab_image, lab_kernel
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.server_packages import BASELINE_PACKAGES
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext


def build(folder: Path, **extras: dict[str, Any]) -> BuildContext:
    """What a step is given; each need's file is named after it."""
    return BuildContext(folder / "work", folder, {name: folder / f"{name}.deb" for name in extras}, extras, print)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the builders were given; they make nothing."""
    calls: list[tuple[Any, ...]] = []

    def builder(work: Path, *arguments: Any) -> Path:
        calls.append(arguments)
        return work / "made"

    monkeypatch.setattr(lab_kernel, "build_kernel", builder)
    monkeypatch.setattr(lab_image, "build_base_image", builder)
    return calls


def test_a_kernel_is_built_from_its_source_and_has_its_version(tmp_path: Path, called: list[tuple[Any, ...]]) -> None:
    step = lab.kernel("lab-kernel", "linux-source", tmp_path / "kernel")
    made = step.run(build(tmp_path, **{"linux-source": {"package": "linux-source-6.12", "version": "6.12.9-1"}}))
    assert (made.path, made.extra) == (tmp_path / "work" / "made", {"version": "6.12.9-1"})
    assert called == [(tmp_path / "linux-source.deb", tmp_path / "kernel", print)]
    assert step.needs == ("linux-source",)


@pytest.mark.parametrize("change", ["other", "more"])
def test_a_kernel_is_built_again_when_its_folder_changes(tmp_path: Path, change: str) -> None:
    (tmp_path / "uml.defconfig").write_text("CONFIG_A=y\n", encoding="utf-8")
    before = lab.kernel("lab-kernel", "linux-source", tmp_path).inputs
    assert lab.kernel("lab-kernel", "linux-source", tmp_path).inputs == before
    name = "uml.defconfig" if change == "other" else "more.c"
    (tmp_path / name).write_text("CONFIG_A=m\n", encoding="utf-8")
    assert lab.kernel("lab-kernel", "linux-source", tmp_path).inputs != before


def test_a_disk_image_holds_what_a_fresh_server_does_and_the_overlay(
    tmp_path: Path, called: list[tuple[Any, ...]]
) -> None:
    apt = debian.PrivateApt(tmp_path / "apt", "trixie", "https://mirror.example/debian")
    step = lab.base_image("lab-base-image", tmp_path / "overlay", apt)
    made = step.run(build(tmp_path))
    assert (made.path, made.extra) == (tmp_path / "work" / "made", {})
    assert called == [("trixie", apt.sources, BASELINE_PACKAGES, tmp_path / "overlay", print)]


def test_a_disk_image_is_made_again_for_another_suite_or_overlay_and_not_for_another_mirror(tmp_path: Path) -> None:
    def inputs(suite: str = "trixie", mirror: str = "https://one.example") -> Any:
        return lab.base_image("a", tmp_path, debian.PrivateApt(tmp_path / "apt", suite, mirror)).inputs

    before = inputs()
    assert before["packages"] == BASELINE_PACKAGES
    assert inputs(mirror="https://two.example") == before
    assert inputs(suite="forky") != before
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "hosts").touch()
    assert inputs() != before
