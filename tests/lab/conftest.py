"""What the lab's tests share. They take the lab over: its disks are what the last test left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

REPO = Path(__file__).parent.parent.parent
ARTIFACTS = REPO / "inventory" / "lab" / ".artifacts"
PLAYBOOK = REPO / ".venv" / "bin" / "ansible-playbook"
ADHOC = REPO / ".venv" / "bin" / "ansible"
PAGES = "/api/v1/namespaces/observability/services"
SETTINGS = "TWINSTACK_LAB_SETTINGS"  # names a file of variables: the lab is already built with them


def environment() -> dict[str, str]:
    """The environment of a person in the project's folder."""
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}  # molecule turns colours on
    return {**os.environ, "ANSIBLE_CONFIG": str(REPO / "ansible.cfg"), **plain}


def kill(pid: int) -> None:
    """The hardest end that a run of our own can have: it and all that it started, whose sessions are their own."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    doomed = [pid]
    for one in doomed:
        doomed += [child for child, parent in parents if parent == one]
    for one in doomed:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


class Lab:
    """Runs playbooks against the lab and reads what they left.

    before: pictures of the bare hosts, once taken. mesh: whether runs install the mesh too; most tests do without.
    """

    before: dict[str, Any] | None = None
    mesh = False

    def play(
        self,
        playbook: str,
        *arguments: str,
        ok: bool | None = True,
        timeout: float = 900,
        inventory: str | Path = "inventory/lab",
    ) -> str:
        """Run a playbook and return its output; ok says whether it must succeed (None: either way)."""
        command = [str(PLAYBOOK), "-i", str(inventory), playbook, *self.settings(), *arguments]
        done = subprocess.run(
            command, cwd=REPO, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
        )
        output = done.stdout + done.stderr
        if ok is not None:
            assert (done.returncode == 0) is ok, f"{' '.join(command)}: exit status {done.returncode}\n{output[-8000:]}"
        return output

    def settings(self) -> list[str]:
        """Arguments of every run: the mesh or not, and what the scenario that runs this has set."""
        given = os.environ.get(SETTINGS)
        return ["-e", json.dumps({"twinstack_mesh": self.mesh}), *(["-e", f"@{given}"] if given else [])]

    def shell(self, host: str, script: str, ok: bool = True) -> str:
        """Run a shell script as root on a host."""
        command = [str(ADHOC), "-i", "inventory/lab", host, "--become", "-m", "ansible.builtin.shell", "-a", script]
        environ = environment() | {"ANSIBLE_STDOUT_CALLBACK": "minimal"}
        done = subprocess.run(command, cwd=REPO, env=environ, capture_output=True, text=True, timeout=120, check=False)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split("\n", 1)[-1]

    def run_record(self) -> dict[str, Any]:
        """What the callback wrote about the last run."""
        data: dict[str, Any] = json.loads((ARTIFACTS / "run.json").read_text())
        return data

    def pictures(self, folder: Path) -> dict[str, Any]:
        """A picture of everything on each host that an install could touch."""
        self.play("tests/lab/snapshot.yml", "-e", f"snapshot_folder={folder}")
        return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}

    def kubectl(self, script: str) -> str:
        """Run kubectl with the administrator's rights on the first control plane."""
        return self.shell("cp1", f"kubectl --kubeconfig /etc/kubernetes/admin.conf {script}")

    def query(self, text: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        page = f"{PAGES}/prometheus:9090/proxy/api/v1/query?query={quote(text, safe='')}"
        found: list[dict[str, Any]] = json.loads(self.kubectl(f"get --raw '{page}'"))["data"]["result"]
        return found

    def alerts(self) -> set[str]:
        """Alerts that are pending or firing."""
        return {item["metric"]["alertname"] for item in self.query('ALERTS{alertname!=""}')}

    def keep_first_family(self, space: str, service: str) -> str:
        """Take the second family from a Service, which is the only one that the API lets go; which that was."""
        spec = json.loads(self.kubectl(f"-n {space} get service {service} -o json"))["spec"]
        first, second = spec["ipFamilies"]
        single = {"ipFamilyPolicy": "SingleStack", "ipFamilies": [first], "clusterIPs": spec["clusterIPs"][:1]}
        self.kubectl(f"-n {space} patch service {service} --type merge -p '{json.dumps({'spec': single})}'")
        return str(second)

    def report(self) -> dict[str, Any]:
        """The last verification's report."""
        data: dict[str, Any] = json.loads((ARTIFACTS / "report.json").read_text())
        return data

    def failed(self) -> list[dict[str, Any]]:
        """Failed probes of the last report."""
        return [probe for probe in self.report()["probes"] if not probe["ok"]]

    def changed(self, output: str) -> dict[str, int]:
        """Hosts with changes, from the recap that ends a playbook's output."""
        recap = output.rsplit("PLAY RECAP", 1)[1]
        return {host: int(count) for host, count in re.findall(r"^(\S+)\s+:.*changed=(\d+)", recap, re.M) if int(count)}


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab, of which there is one: two tests at a time would break it for each other."""
    assert "PYTEST_XDIST_WORKER" not in os.environ, "the lab: found several tests at a time, expected one. Try: -n 0"
    return Lab()


@pytest.fixture(scope="module")
def everything(lab: Lab) -> Iterator[None]:
    """Runs of a module install the mesh, its tenants and what observes it; they are there already, or are made."""
    lab.mesh = True
    lab.play("site.yml", "--skip-tags", "verify", timeout=1800)
    yield
    lab.mesh = False


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Poll a condition until it holds or a deadline in seconds passes."""

    def wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not after {seconds:.0f} s"
            time.sleep(1)

    return wait


@pytest.fixture(scope="session")
def molecule() -> Callable[..., str]:
    """Runs one step of a scenario, or its whole sequence, and returns the output."""

    def run(scenario: str, *words: str) -> str:
        environ = environment() | {"MOLECULE_GLOB": "tests/molecule/*/molecule.yml"}
        environ["PATH"] = f"{REPO / '.venv' / 'bin'}:{os.environ['PATH']}"
        command = [str(REPO / ".venv" / "bin" / "molecule"), *words, "--scenario-name", scenario]
        done = subprocess.run(command, cwd=REPO, env=environ, capture_output=True, text=True, timeout=5400, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{(done.stdout + done.stderr)[-12000:]}"
        return done.stdout

    return run
