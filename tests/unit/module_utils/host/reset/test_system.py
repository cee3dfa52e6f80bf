"""Settings of the whole host go back to what they were."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import system
from ansible_collections.twinstack.core.plugins.module_utils.host.state import kernel as state_kernel

from tests.unit.module_utils.host.reset.samples import record


def test_switches_that_reset_others_go_back_first(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"net/ipv4/conf/eth0/forwarding": "1", "net/ipv4/ip_forward": "1", "kernel/panic": "10", "vm/x": None}
    monkeypatch.setattr(state_kernel, "read_sysctl", lambda key: now.get(key))
    notes = record(sysctls={"net.ipv4.ip_forward": "0", "net/ipv4/conf/eth0/forwarding": "0", "vm/x": "1"})
    assert system.find_sysctls(notes) == ["net/ipv4/ip_forward", "kernel/panic", "net/ipv4/conf/eth0/forwarding"]
