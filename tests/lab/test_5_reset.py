"""Reset brings every host back to what it was before the install, and a bare host is an install's start again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot

from tests.lab.conftest import Lab

HOSTS = ("cp1", "worker1", "worker2")


def test_reset_refuses_without_the_clusters_name(lab: Lab) -> None:
    assert "reset_confirm: found nothing, expected the name of the cluster" in lab.play("playbooks/reset.yml", ok=False)
    lab.kubectl("get nodes")


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["for real", "check mode"])
def test_reset_refuses_another_clusters_hosts_and_leaves_them_equal(lab: Lab, tmp_path: Path, check: list[str]) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before = lab.pictures(tmp_path / "before")
    output = lab.play("playbooks/reset.yml", "-e", "reset_confirm=other", *check, ok=False)
    for host in HOSTS:
        assert f"fatal: [{host}]: FAILED! => 1 reason not to reset this host; nothing was undone" in output
    assert output.count("cluster: found twinstack; expected other") == len(HOSTS)
    after = lab.pictures(tmp_path / "after")
    assert {host: snapshot.differences(before[host], after[host]) for host in HOSTS} == {host: [] for host in HOSTS}
    lab.kubectl("get nodes")


FOREIGN = r"""
mkdir -p /var/lib/twinstack/disk && mount -t tmpfs theirs /var/lib/twinstack/disk
echo x > /var/lib/twinstack/disk/data
mkdir -p /root/theirs/DEBIAN
printf 'Package: theirs\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDepends: ipset\nDescription: x\n' \
  > /root/theirs/DEBIAN/control
dpkg-deb --build /root/theirs && dpkg --install /root/theirs.deb
"""
NAMED = '{"reset_confirm": "twinstack", "reset_mounts": ["/var/lib/twinstack/disk"]}'


def test_one_worker_leaves_drained_and_keeps_what_is_others(lab: Lab) -> None:
    """A file system and a package of somebody else's on it; then it joins again."""
    limited = ("playbooks/reset.yml", "--limit", "worker2")
    if "theirs" not in lab.shell("worker2", "findmnt --noheadings --output SOURCE /var/lib/twinstack/disk", ok=False):
        lab.shell("worker2", FOREIGN)
    refused = lab.play(*limited, "-e", "reset_confirm=twinstack", ok=False)
    assert "/var/lib/twinstack/disk: mount: found data on theirs (tmpfs)" in refused
    assert "SchedulingDisabled" not in lab.kubectl("get nodes"), "it was drained before it was refused"
    assert lab.shell("worker2", "systemctl is-active kubelet").strip() == "active"
    would = lab.play(*limited, "-e", NAMED, "--check")
    for step in ("Drain the node", "Return the host to the state before the install", "Delete the node"):
        assert f"would change worker2: twinstack.core.reset : {step}" in would
    output = lab.play(*limited, "-e", NAMED)
    kept = re.findall(r"package (\S+), needed by", output)
    assert "ipset" in kept and "package ipset, needed by theirs" in output
    assert "worker2" not in lab.kubectl("get nodes -o name")
    assert "worker2" not in lab.kubectl("get pods -A -o wide --field-selector status.phase=Running")
    left = lab.shell(
        "worker2", "findmnt /var/lib/twinstack/disk; ls -A /var/lib/twinstack/disk /etc/twinstack", ok=False
    )
    assert "theirs" in left and "data" not in left
    assert lab.changed(lab.play(*limited, "-e", NAMED)) == {}
    lab.shell("worker2", "umount /var/lib/twinstack/disk; rm -r /var/lib/twinstack /root/theirs /root/theirs.deb")
    lab.shell("worker2", f"dpkg --purge theirs {' '.join(kept)}")
    lab.play("site.yml")
    assert lab.failed() == []


def test_a_budget_that_allows_no_eviction_refuses_the_worker(lab: Lab) -> None:
    """It runs on, and takes new pods again."""
    lab.kubectl("create deployment kept --image=registry.k8s.io/e2e-test-images/agnhost:2.66.1 -- /agnhost pause")
    lab.kubectl('patch deployment kept --type merge -p \'{"spec":{"template":{"spec":{"nodeName":"worker2"}}}}\'')
    lab.kubectl("create poddisruptionbudget kept --selector=app=kept --min-available=1")
    lab.kubectl("rollout status deployment kept --timeout=90s")
    confirmed = ("playbooks/reset.yml", "--limit", "worker2", "-e", "reset_confirm=twinstack")
    try:
        output = lab.play(*confirmed, "-e", "reset_drain_timeout=15", ok=False)
        assert "pod default/kept-" in output and "disruption budget" in output
        assert "SchedulingDisabled" not in lab.kubectl("get nodes")
        assert lab.shell("worker2", "systemctl is-active kubelet").strip() == "active"
    finally:
        lab.kubectl("delete deployment/kept poddisruptionbudget/kept")


def test_reset_leaves_the_hosts_as_they_were(lab: Lab, tmp_path: Path) -> None:
    assert lab.before, "no picture of the bare hosts: test_1_first_run.py takes it"
    lab.play("playbooks/reset.yml", "-e", "reset_confirm=twinstack")
    after = lab.pictures(tmp_path)
    found = {host: snapshot.differences(lab.before[host], after[host]) for host in HOSTS}
    assert found == {host: [] for host in HOSTS}, json.dumps(found, indent=1)


def test_a_second_reset_changes_nothing(lab: Lab) -> None:
    assert lab.changed(lab.play("playbooks/reset.yml", "-e", "reset_confirm=twinstack")) == {}


def test_preflight_finds_nothing_stale(lab: Lab) -> None:
    lab.play("playbooks/preflight.yml")
