"""Who gets which processor; and, with real processes, that waiting is measured and a host is moved as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.lab import cpu_balancer
from ansible_collections.twinstack.core.plugins.module_utils.lab.cpu_balancer import Balance, Load, places

START = {"cp1": 0, "worker1": 1, "worker2": 1}
TWO = sorted(os.sched_getaffinity(0))[:2]
SPIN = "import os; os.fork(); os.fork() if os.getpid() % 2 else 0\nwhile True: pass"


def test_nobody_moves_while_nobody_waits() -> None:
    loads = {"cp1": Load(0.9, 0.0), "worker1": Load(0.4, 0.1), "worker2": Load(0.3, 0.1)}
    assert places(loads, {}, [0, 1], START) == START


def test_workers_that_wait_for_each_other_take_turns_beside_an_idle_control_plane() -> None:
    loads = {"cp1": Load(0.3, 0.0), "worker1": Load(0.5, 0.5), "worker2": Load(0.5, 0.5)}
    first = places(loads, {"worker1": 0.5, "worker2": 0.5}, [0, 1], START)
    assert first["worker1"] != first["worker2"]
    beside = next(name for name in ("worker1", "worker2") if first[name] == first["cp1"])
    other = "worker2" if beside == "worker1" else "worker1"
    loads = {"cp1": Load(0.3, 0.2), beside: Load(0.7, 0.3), other: Load(1.0, 0.0)}
    owed = {"cp1": 0.2, beside: 0.55, other: 0.25}
    then = places(loads, owed, [0, 1], first)
    assert then[beside] not in (then["cp1"], then[other]), "it has a processor of its own now"


def test_every_host_has_a_processor_of_its_own_in_turn_when_all_of_them_want_one() -> None:
    now, owed, alone = dict(START), dict.fromkeys(START, 0.0), []
    for _ in range(12):
        shared = {cpu: [name for name in now if now[name] == cpu] for cpu in (0, 1)}
        loads = {name: Load(1 / len(shared[now[name]]), 1 - 1 / len(shared[now[name]])) for name in now}
        owed = {name: owed[name] * cpu_balancer.FORGET + loads[name].waited for name in now}
        now = places(loads, owed, [0, 1], now)
        assert set(now.values()) == {0, 1}
        alone.append(next(name for name in now if list(now.values()).count(now[name]) == 1))
    assert {name: alone.count(name) for name in START} == {"cp1": 4, "worker1": 4, "worker2": 4}


def test_hosts_are_not_moved_for_another_name_of_the_same_group() -> None:
    loads = {"cp1": Load(0.9, 0.2), "worker1": Load(0.2, 0.0), "worker2": Load(0.2, 0.0)}
    assert places(loads, {}, [0, 1], START) == START
    assert places(loads, {}, [1, 0], START) == START


@pytest.fixture
def spinning() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes with children, all of them always busy, on one processor."""
    found = []
    try:
        for _ in range(2):
            command = ["taskset", "--cpu-list", str(TWO[0]), sys.executable, "-c", SPIN]
            found.append(subprocess.Popen(command, start_new_session=True))
        yield found
    finally:
        for process in found:
            os.killpg(process.pid, 9)
            process.wait()


@pytest.mark.skipif(len(TWO) < 2, reason="one processor has nothing to balance")
def test_a_host_that_waits_is_moved_with_all_its_processes(spinning: list[subprocess.Popen[bytes]]) -> None:
    hosts = {"one": spinning[0].pid, "two": spinning[1].pid}
    deadline = time.monotonic() + 10
    while not all(len(list(cpu_balancer.tasks_of(pid))) >= 2 for pid in hosts.values()):
        assert time.monotonic() < deadline
    balance = Balance(TWO)
    assert balance.step(hosts, 1.0) == {}, "nothing is known yet"
    moved: dict[str, int] = {}
    while not moved and time.monotonic() < deadline:
        began = time.monotonic()
        os.sched_yield()
        while time.monotonic() - began < 0.3:
            pass
        moved = balance.step(hosts, 0.3)
    assert list(moved.values()) == [TWO[1]]
    (name,) = moved
    for task in cpu_balancer.tasks_of(hosts[name]):
        assert os.sched_getaffinity(task) == {TWO[1]}
    (other,) = set(hosts) - {name}
    for task in cpu_balancer.tasks_of(hosts[other]):
        assert os.sched_getaffinity(task) == {TWO[0]}
