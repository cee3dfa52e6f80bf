"""plugin_utils.ssh.keep_alive: how soon a host that dies is noticed."""

from __future__ import annotations

import configparser

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.ssh import keep_alive

from tests.conftest import ROOT


def noticed(arguments: str, retries: int, timeout: float) -> list[float]:
    """Seconds at most from a death in a task, and from the start of a task on a host that is dead already."""
    words = dict(word.split("=") for word in arguments.split() if "ServerAlive" in word)
    silent = int(words["ServerAliveInterval"]) * (int(words["ServerAliveCountMax"]) + 1)
    pauses = sum(2**attempt - 1 for attempt in range(retries))  # as Ansible's connection makes them
    return [silent + pauses + retries * timeout, pauses + (1 + retries) * timeout]


@pytest.mark.parametrize("configured", ["", "-C -o ControlMaster=auto -o ControlPersist=60s", "-o ProxyJump=jump"])
def test_ssh_gives_up_within_30_s_without_an_ansible_cfg(configured: str) -> None:
    arguments = keep_alive.arguments(configured)
    assert arguments.startswith(configured), "ssh takes the first of two values"
    assert max(noticed(arguments, keep_alive.retries(0), keep_alive.CONNECT_SECONDS)) < 30


def test_ssh_gives_up_within_30_s_with_the_projects_ansible_cfg() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "ansible.cfg")
    ssh, timeout = config["ssh_connection"], config["defaults"].getint("timeout", fallback=keep_alive.CONNECT_SECONDS)
    assert max(noticed(ssh["ssh_args"], int(ssh["retries"]), timeout)) < 30
    assert keep_alive.arguments(ssh["ssh_args"]) == ssh["ssh_args"]
    assert keep_alive.retries(int(ssh["retries"])) == int(ssh["retries"])


@pytest.mark.parametrize("configured", ["-o ServerAliveInterval=60", "-oserveraliveinterval=0"])
def test_who_has_decided_keeps_it(configured: str) -> None:
    assert keep_alive.arguments(configured) == configured
    assert keep_alive.retries(7) == 7
