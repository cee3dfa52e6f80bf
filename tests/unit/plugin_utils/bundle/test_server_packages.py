"""What a fresh server holds: one list for the lab's image and for what package sets leave out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import lab
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.server_packages import BASELINE_PACKAGES

from tests.unit.plugin_utils.bundle.debian_samples import local_apt
from tests.unit.plugin_utils.bundle.samples import load


def test_every_package_is_named_once_and_as_debian_names_packages() -> None:
    assert len(set(BASELINE_PACKAGES)) == len(BASELINE_PACKAGES)
    assert [name for name in BASELINE_PACKAGES if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name)] == []


@pytest.mark.parametrize("name", ["openssh-server", "python3", "sudo", "iproute2", "systemd"])
def test_a_server_can_be_reached_and_worked_on_before_anything_is_installed(name: str) -> None:
    """By Ansible's connection, its modules and the probe, which come before the package set."""
    assert name in BASELINE_PACKAGES


def test_the_lab_has_exactly_what_package_sets_leave_out(tmp_path: Path) -> None:
    apt = local_apt(tmp_path)
    image = lab.base_image("image", tmp_path / "overlay", apt)
    assert set(image.inputs["packages"]) == {item.name for item in apt.closure(BASELINE_PACKAGES)} - {"libc"}
    assert apt.missing_on_server(BASELINE_PACKAGES) == []


@pytest.mark.parametrize("provider", ["source", "upstream"])
def test_no_package_set_names_what_would_be_left_out_of_it(provider: str) -> None:
    sets = [item for item in load(provider).artifacts.values() if item.kind == "package_set"]
    assert sets
    assert [set(item.provider["packages"]) & set(BASELINE_PACKAGES) for item in sets] == [set()] * len(sets)
