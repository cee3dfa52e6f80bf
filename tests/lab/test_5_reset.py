"""Reset brings every host back to what it was before the install, and a bare host is an install's start again."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot

from tests.lab.conftest import Lab

HOSTS = ("cp1", "worker1", "worker2")


def test_reset_refuses_without_the_clusters_name(lab: Lab) -> None:
    assert "reset_confirm: found nothing, expected the name of the cluster" in lab.play("playbooks/reset.yml", ok=False)
    lab.kubectl("get nodes")


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
