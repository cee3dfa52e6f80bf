"""A worker loses power in the middle of a run: it is named, the others go on, the same command ends green."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from tests.lab.conftest import PLAYBOOK, REPO, Lab, environment

HOST, OTHER = "worker2", "worker1"  # Prometheus' data are on the first worker
NAMED = ("UNREACHABLE", "lost in this run", "no sign of life")


class Going:
    """A run of site.yml that goes on beside the test. lines: what it has said so far, each with the second."""

    def __init__(self, lab: Lab) -> None:
        self.process = subprocess.Popen(
            [str(PLAYBOOK), "-i", "inventory/lab", "site.yml", *lab.settings()],
            cwd=REPO,
            env=environment() | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[tuple[float, str]] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))

    def output(self) -> str:
        """All of it."""
        return "".join(line for _, line in list(self.lines))

    def until(self, text: str, seconds: float) -> None:
        """Wait until the run has said something."""
        end = time.monotonic() + seconds
        while text not in self.output():
            assert self.process.poll() is None and time.monotonic() < end, self.output()[-8000:]
            time.sleep(0.2)

    def ended(self, seconds: float) -> int:
        """The exit status."""
        status = self.process.wait(seconds)
        self.reader.join()
        return status

    def named(self) -> float:
        """When the lost host was first named as such."""
        times = [at for at, line in self.lines if HOST in line and any(word in line for word in NAMED)]
        assert times, self.output()[-8000:]
        return times[0]


def cut(lab: Lab, going: Going) -> float:
    """Cut the host's power; a moment right after."""
    lab.play("playbooks/lab/host_power_off.yml", "-e", f"lab_host={HOST}")
    assert not any(word in going.output() for word in NAMED), "the run lost the host before its power was cut"
    return time.monotonic()


def node_is_ready(lab: Lab, name: str) -> bool:
    """Whether the cluster says so."""
    path = """{.status.conditions[?(@.type=="Ready")].status}"""
    return lab.kubectl(f"get node {name} -o jsonpath='{path}'").strip() == "True"


def goes_on(lab: Lab) -> None:
    """The host boots, and the same command does what is missing."""
    lab.play("playbooks/lab/host_boot.yml", "-e", f"lab_host={HOST}")
    lab.play("site.yml", timeout=1800)
    assert lab.failed() == []
    assert node_is_ready(lab, HOST) and node_is_ready(lab, OTHER)


@pytest.fixture(scope="module", autouse=True)
def bare_hosts(lab: Lab) -> Iterator[None]:
    """A first run, with the mesh."""
    lab.play("playbooks/lab/recreate.yml")
    lab.mesh = True
    yield
    lab.mesh = False


def test_while_workers_install(lab: Lab) -> None:
    """The rest of the run is done without the host, up to the verification."""
    going = Going(lab)
    going.until("Nodes and control plane", 300)
    time.sleep(10)
    at = cut(lab, going)
    status = going.ended(1800)
    assert going.named() - at < 30
    assert status != 0
    assert f"{HOST}: found lost in this run" in " ".join(going.output().split())
    assert "Tenants are ready" in going.output() and "FAILED" not in going.output().split("No host was lost")[0]
    assert node_is_ready(lab, OTHER)
    goes_on(lab)


def test_while_the_mesh_starts(lab: Lab) -> None:
    """No host is asked by SSH then: the wait for the mesh ends, and names the node that it waits for."""
    lab.play("playbooks/lab/recreate.yml")
    going = Going(lab)
    going.until("Mesh starts", 900)
    at = cut(lab, going)
    status = going.ended(600)
    assert going.named() - at < 30
    assert status != 0
    assert node_is_ready(lab, OTHER)
    goes_on(lab)
