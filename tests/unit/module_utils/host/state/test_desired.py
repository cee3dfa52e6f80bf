"""The desired state of a host as data."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState, FileSpec, UnitSpec


def test_a_unit_that_somebody_else_starts_must_run_where_its_file_is(tmp_path: Path) -> None:
    """kubeadm starts the kubelet; on a node of the cluster a stopped one is started again."""
    there, absent = tmp_path / "kubelet.conf", tmp_path / "none"
    there.write_text("")
    unit = UnitSpec("kubelet.service", running=False)
    assert not unit.must_run and UnitSpec("containerd.service").must_run
    assert UnitSpec("kubelet.service", running=False, running_if=str(there)).must_run
    assert not UnitSpec("kubelet.service", running=False, running_if=str(absent)).must_run


def test_a_unit_must_run_where_either_says_so(tmp_path: Path) -> None:
    """running_if is asked each time, because kubeadm makes the file between two looks."""
    path = tmp_path / "kubelet.conf"
    unit = UnitSpec("kubelet.service", running=False, running_if=str(path))
    before = unit.must_run
    path.touch()
    assert (before, unit.must_run) == (False, True)
    assert UnitSpec("a.service", running=True, running_if=str(tmp_path / "none")).must_run


def test_a_file_is_roots_and_readable_unless_told_otherwise() -> None:
    spec = FileSpec("/etc/a")
    assert (spec.state, spec.mode, spec.owner, spec.group, spec.secret) == ("file", 0o644, "root", "root", False)


def test_nothing_is_desired_unless_told_and_two_states_share_nothing() -> None:
    first = DesiredState()
    first.files.append(FileSpec("/etc/a"))
    first.sysctls["vm/overcommit_memory"] = "1"
    second = DesiredState()
    assert (second.packages, second.files, second.modules, second.sysctls, second.units) == ([], [], [], {}, [])
    assert not second.swap_off and second.cluster == ""


@pytest.mark.parametrize("item", [FileSpec("/etc/a"), UnitSpec("a.service")])
def test_what_is_desired_does_not_change_while_it_is_compared(item: FileSpec | UnitSpec) -> None:
    with pytest.raises(AttributeError):
        item.name = "other"  # type: ignore[misc, union-attr]
