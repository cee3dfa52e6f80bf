"""Shares few processors among the lab's hosts: whoever waits gets the one with time left. Runs as a program of its own.

A user-mode kernel is slow when its processes are spread over processors (a system call takes 59 us instead of 4), so a
host is on one of them at a time, with all its processes. Which one is decided twice a second, by what each host
used and how long it was ready and had to wait. The program ends when the last host of its lab is gone.

Called by its path: python lab_balance.py FOLDER_OF_THE_LAB.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 0.5  # between two decisions
SCAN_SECONDS = 3.0  # between two looks for hosts that came
CONTENDED = 0.15  # share of the time that a host waits from which on moving is worth it
FORGET = 0.5  # how much of what a host was owed before counts at the next decision
LOCK_SECONDS = 6.0  # an older program of this lab that is about to end takes less


@dataclass(frozen=True)
class Load:
    """One host in the last interval, in shares of a processor: what it used, and what it waited for."""

    used: float
    waited: float


def places(
    loads: Mapping[str, Load], owed: Mapping[str, float], cpus: Sequence[int], now: Mapping[str, int]
) -> dict[str, int]:
    """Processor of each host. Whoever wants most, or is owed most, chooses first; nobody moves while nobody waits."""
    if not any(load.waited > CONTENDED for load in loads.values()):
        return dict(now)
    weights = {name: load.used + load.waited + owed.get(name, 0.0) for name, load in loads.items()}
    shares = [0.0] * len(cpus)
    groups: dict[str, int] = {}
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        place = shares.index(min(shares))
        groups[name] = place
        shares[place] += weights[name]
    # Which group is on which processor does not matter, so as few hosts move as can be.
    best = max(
        itertools.permutations(cpus),
        key=lambda order: sum(now.get(name) == order[place] for name, place in groups.items()),
    )
    return {name: best[place] for name, place in groups.items()}


def kernels() -> dict[int, list[str]]:
    """Command lines of all running user-mode kernels, by process id."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                words = Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if any(word.startswith("umid=") for word in words):
                found[int(entry.name)] = words
    return found


def hosts_of(folder: Path) -> dict[str, int]:
    """Process id of each running kernel of the lab in this folder, by the host's name."""
    ours = f"uml_dir={folder}/uml/"
    return {
        next(word[5:] for word in words if word.startswith("umid=")): pid
        for pid, words in kernels().items()
        if ours in words and words[0].endswith("kernel")
    }


def tasks_of(pid: int) -> Iterator[int]:
    """Ids of a kernel's own threads, then of the processes that run its guests' programs: those may become more."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    yield from map(int, threads)
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as stream:
                children = stream.read().split()
        except OSError:
            continue
        yield from map(int, children)


def times(pid: int) -> dict[int, tuple[int, int]]:
    """Nanoseconds that each task of a host ran and was ready but waited, by its id."""
    found = {}
    for task in tasks_of(pid):
        try:
            descriptor = os.open(f"/proc/{task}/schedstat", os.O_RDONLY)
        except OSError:
            continue
        try:
            ran, waited = os.read(descriptor, 100).split()[:2]
            found[task] = (int(ran), int(waited))
        except (OSError, ValueError):
            pass  # it ended just now
        finally:
            os.close(descriptor)
    return found


def move(pid: int, cpu: int) -> None:
    """All tasks of a host to one processor; those that it starts later come after it."""
    for task in tasks_of(pid):
        with contextlib.suppress(OSError):  # it ended just now
            os.sched_setaffinity(task, {cpu})


def cpu_of(pid: int) -> int:
    """The processor that a host is on."""
    return min(os.sched_getaffinity(pid))


@dataclass
class Balance:
    """What is known of the hosts between two decisions."""

    cpus: Sequence[int]
    before: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    owed: dict[str, float] = field(default_factory=dict)

    def step(self, hosts: Mapping[str, int], seconds: float) -> dict[str, int]:
        """Measure, decide and move; the hosts that were moved, with their new processor."""
        loads = {}
        after = {name: times(pid) for name, pid in hosts.items()}
        for name, now in after.items():
            old = self.before.get(name, now)
            ran = sum(value[0] - old.get(task, value)[0] for task, value in now.items())
            waited = sum(value[1] - old.get(task, value)[1] for task, value in now.items())
            loads[name] = Load(ran / seconds / 1e9, waited / seconds / 1e9)
            self.owed[name] = self.owed.get(name, 0.0) * FORGET + loads[name].waited
        self.before = after
        current = {name: cpu_of(pid) for name, pid in hosts.items()}
        wanted = places(loads, self.owed, self.cpus, current)
        moved = {name: cpu for name, cpu in wanted.items() if cpu != current[name]}
        for name, cpu in moved.items():
            move(hosts[name], cpu)
        return moved


def run(folder: Path) -> None:
    """Balance until the lab's last host is gone; at once over when another program does it for this lab already."""
    with open(folder / "balance.lock", "w", encoding="utf-8") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.5)
        balance = Balance(sorted(os.sched_getaffinity(0)))
        hosts: dict[str, int] = {}
        looked = last = time.monotonic()
        empty = 0
        while empty < 3:
            time.sleep(SECONDS)
            now = time.monotonic()
            gone = any(not os.path.exists(f"/proc/{pid}") for pid in hosts.values())
            if not hosts or gone or now - looked > SCAN_SECONDS:
                hosts, looked = hosts_of(folder), now
                empty = 0 if hosts else empty + 1
            with contextlib.suppress(ProcessLookupError):  # a host went off between two looks
                balance.step(hosts, now - last)
            last = now


if __name__ == "__main__":
    run(Path(sys.argv[1]))
