"""Times the lab from bare disks to a verified cluster and prints JSON: `make bench`.

The bundle must be ready; nothing else should run on the machine. Every figure is a measurement of this run.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent.parent
ARTIFACTS = REPO / "inventory" / "lab" / ".artifacts"
ANSIBLE_PLAYBOOK = REPO / ".venv" / "bin" / "ansible-playbook"
VERIFY_PHASE = "Verify"


def play(playbook: str) -> tuple[float, dict[str, Any]]:
    """Run a playbook; wall seconds and its run record. Exits with the playbook's last lines when it fails."""
    print(f"bench: {playbook}", file=sys.stderr)
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPO / "ansible.cfg")}
    start = time.monotonic()
    done = subprocess.run(
        [str(ANSIBLE_PLAYBOOK), "-i", "inventory/lab", playbook],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{playbook}: exit status {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}")
    return seconds, json.loads((ARTIFACTS / "run.json").read_text())


def machine() -> dict[str, Any]:
    """The machine's figures, without which no time means anything."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]) // 1024
    return {
        "cpus": os.cpu_count(),
        "cpu": model,
        "memory_mib": memory,
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def lab_memory() -> dict[str, int]:
    """Peak resident memory in MiB of each lab host's kernel process, by the `umid=` it was started with.

    The guest's memory is one shared mapping of that process, so VmHWM is what the host ever touched.
    """
    peak: dict[str, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status = (folder / "status").read_text()
        except OSError:
            continue
        names = [word.removeprefix("umid=") for word in words if word.startswith("umid=")]
        if names and "VmHWM:" in status:
            high = int(status.split("VmHWM:")[1].split()[0]) // 1024
            peak[names[0]] = max(peak.get(names[0], 0), high)
    return peak


def phases(record: dict[str, Any]) -> dict[str, float]:
    """Seconds per phase."""
    return {phase["name"]: round(phase["seconds"], 1) for phase in record["phases"]}


def described(seconds: float, record: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run of site.yml."""
    by_phase = phases(record)
    return {
        "seconds": round(seconds, 1),
        "seconds_without_verify": round(seconds - by_phase.get(VERIFY_PHASE, 0.0), 1),
        "phases": by_phase,
        "tasks": record["tasks"],
        "ssh_executions": record["ssh_executions"],
        "ssh_executions_by_role": record["ssh_executions_by_role"],
        "changed": sum(host["changed"] for host in record["stats"].values()),
    }


def main() -> None:
    """Run everything in order and print the figures."""
    figures: dict[str, Any] = {"machine": machine()}
    play("playbooks/bundle.yml")
    play("playbooks/lab/destroy.yml")
    seconds, _record = play("playbooks/lab/up.yml")
    figures["lab_up_seconds"] = round(seconds, 1)
    boot = json.loads((ARTIFACTS / "lab.json").read_text())
    figures["lab_boot_to_ssh_seconds"] = boot["seconds_to_ssh"]

    seconds, record = play("site.yml")
    figures["first_run"] = described(seconds, record)
    seconds, record = play("site.yml")
    figures["second_run"] = described(seconds, record)
    seconds, record = play("playbooks/verify.yml")
    figures["verify_seconds"] = round(seconds, 1)
    environment = {**os.environ, "PYTHONPATH": str(REPO / "collections")}
    subprocess.run([sys.executable, str(REPO / "tests/bench/mesh.py")], check=True, stdout=sys.stderr, env=environment)
    figures["mesh"] = json.loads((ARTIFACTS / "bench_mesh.json").read_text())
    figures["peak_memory_mib"] = lab_memory()
    figures["peak_memory_total_mib"] = sum(figures["peak_memory_mib"].values())
    print(json.dumps(figures, indent=2))
    if figures["second_run"]["changed"]:
        sys.exit("the second run changed something: second_run.changed is not 0")


if __name__ == "__main__":
    main()
