"""Packages: only what is missing is installed."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state import packages
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState


def test_only_missing_packages_are_installed_whatever_the_version_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = [{"package": name, "version": "2", "file": f"{name}_2.deb"} for name in ("ipset", "socat")]
    installed = {"ipset": "3"}
    monkeypatch.setattr(
        packages, "installed_packages", lambda names: {n: installed[n] for n in names if n in installed}
    )
    desired = DesiredState(packages=wanted, package_archive="/none.tar")
    (step,) = packages.package_steps(desired, host_record.load("/none"))
    assert (step.name, step.before, step.after) == ("packages", "", "socat 2\n")
    installed["socat"] = "1"
    assert packages.package_steps(desired, host_record.load("/none")) == []
