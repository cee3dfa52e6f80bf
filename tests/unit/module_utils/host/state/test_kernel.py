"""Sysctls: their spellings, and their values before the first change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state import kernel
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState
from ansible_collections.twinstack.core.plugins.module_utils.host.state.reconcile import reconcile


def test_sysctl_keys_with_dots_in_a_name_can_use_slashes() -> None:
    assert kernel.sysctl_path("net.ipv6.conf.all.forwarding") == "/proc/sys/net/ipv6/conf/all/forwarding"
    assert kernel.sysctl_path("net/ipv4/conf/eth0.100/rp_filter") == "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"


def test_two_sysctls_of_one_kernel_variable_both_keep_the_original(
    tmp_path: Path, record_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = tmp_path / "variable"
    variable.write_text("0\n")
    monkeypatch.setattr(kernel, "sysctl_path", lambda key: str(variable))
    desired = DesiredState(sysctls={"net.ipv4.conf.all.forwarding": "1", "net.ipv4.ip_forward": "1"})
    reconcile(desired, check_mode=False)
    kept = json.loads(record_path.read_text())["sysctls"]
    assert kept == {"net.ipv4.conf.all.forwarding": "0", "net.ipv4.ip_forward": "0"}


def test_an_unknown_sysctl_is_named() -> None:
    steps = kernel.sysctl_steps({"net.no.such.key": "1"}, host_record.EMPTY)
    with pytest.raises(HostStateError, match="sysctl net.no.such.key"):
        steps[0].apply()
