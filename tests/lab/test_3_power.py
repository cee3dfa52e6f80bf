"""Power cuts: one host, then all of them, each followed by a cold boot and a run that ends green."""

from __future__ import annotations

from tests.lab.conftest import Lab


def test_one_host_loses_power(lab: Lab) -> None:
    lab.play("playbooks/lab_power_off.yml", "-e", "lab_host=worker1")
    lab.play("playbooks/lab_boot.yml", "-e", "lab_host=worker1")
    lab.play("playbooks/lab.yml")
    assert lab.failed() == []


def test_all_hosts_lose_power(lab: Lab) -> None:
    for host in ("cp1", "worker1", "worker2"):
        lab.play("playbooks/lab_power_off.yml", "-e", f"lab_host={host}")
    lab.play("playbooks/lab.yml")
    assert lab.failed() == []
