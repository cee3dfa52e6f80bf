"""What a run did and how long it took: phases (plays), roles, tasks and hosts, as numbers and as lines of text.

Holds names and figures only, never a task's arguments or results, so no secret can get into it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1
VALIDATION = "ansible.builtin.validate_argument_spec"
STATUSES = ("failed", "unreachable", "changed", "ok", "skipped")  # the worst first: what a host's count shows
NAME_WIDTH = 18
HOSTS_WIDTH = 24


@dataclass
class HostResult:
    """One host in one task: when it began and ended, in seconds since the run's start, and how it ended."""

    begun: float
    ended: float | None = None
    status: str = ""


@dataclass
class Task:
    """One task of a role. Times in seconds since the run's start."""

    uuid: str
    name: str
    action: str
    path: str
    begun: float
    hosts: dict[str, HostResult] = field(default_factory=dict)
    ended: float | None = None

    def seconds(self, now: float) -> float:
        """From its start on the first host to its end on the last one, or until now where it still runs."""
        if self.ended is None and (not self.hosts or any(host.ended is None for host in self.hosts.values())):
            return now - self.begun
        ends = [host.ended for host in self.hosts.values() if host.ended is not None]
        return max(0.0, max(ends, default=self.begun if self.ended is None else self.ended) - self.begun)


@dataclass
class Role:
    """The tasks of one role in one phase."""

    name: str
    tasks: list[Task] = field(default_factory=list)

    def seconds(self, now: float) -> float:
        """How long at least one of its tasks ran, without pauses in which other roles did."""
        total, covered = 0.0, 0.0
        for task in sorted(self.tasks, key=lambda task: task.begun):
            end = task.begun + task.seconds(now)
            total += max(0.0, end - max(task.begun, covered))
            covered = max(covered, end)
        return total

    def only_validates(self) -> bool:
        """Whether all it did was to check its own arguments."""
        return all(task.action == VALIDATION for task in self.tasks)

    def did_nothing(self) -> bool:
        """Whether no task of it ran, but for the check of its own arguments."""
        return self.only_validates() or set(self.statuses().values()) <= {"skipped"}

    def statuses(self) -> dict[str, str]:
        """Every host's worst status."""
        worst: dict[str, str] = {}
        for task in self.tasks:
            for host, result in task.hosts.items():
                known = worst.get(host, STATUSES[-1])
                if result.status:
                    worst[host] = min(known, result.status, key=STATUSES.index)
        return worst


@dataclass
class Phase:
    """One play."""

    name: str
    begun: float
    roles: list[Role] = field(default_factory=list)
    ended: float | None = None

    def role(self, name: str) -> Role:
        """The phase's role of this name, new when it has not been there."""
        for role in self.roles:
            if role.name == name:
                return role
        self.roles.append(Role(name))
        return self.roles[-1]


class RunRecord:
    """Collects a run's events. All times are seconds since the run's start, given by the caller."""

    def __init__(self, playbook: str, started: str, check: bool) -> None:
        self.playbook = playbook
        self.started = started
        self.check = check
        self.phases: list[Phase] = []
        self._tasks: dict[str, Task] = {}
        self._begun: set[str] = set()  # tasks of the phase
        self._roles: dict[str, str] = {}

    def phase_begins(self, name: str, now: float) -> Phase:
        """A play starts, or with ``serial`` the same play for its next hosts; the phase before has ended."""
        self.close(now)
        self._begun.clear()
        self.phases.append(Phase(name, now))
        return self.phases[-1]

    def task_begins(self, uuid: str, name: str, action: str, path: str, role: str, now: float) -> Task:
        """A task starts; with a strategy that lets hosts go ahead it may be called once per host."""
        if uuid in self._begun:
            return self._tasks[uuid]
        self._begun.add(uuid)
        task = Task(uuid, name, action, path, now)
        self.phases[-1].role(role).tasks.append(task)
        self._tasks[uuid] = task
        self._roles[uuid] = role
        return task

    def host_begins(self, uuid: str, host: str, now: float) -> None:
        """A task starts on a host."""
        if uuid in self._tasks:
            self._tasks[uuid].hosts[host] = HostResult(now)

    def host_ends(self, uuid: str, host: str, status: str, now: float) -> None:
        """A task ended on a host. status: one of `STATUSES`."""
        if uuid in self._tasks:
            result = self._tasks[uuid].hosts.setdefault(host, HostResult(now))
            result.ended, result.status = now, status

    def close(self, now: float) -> None:
        """Everything that is open has ended."""
        self._end_tasks(now)
        if self.phases and self.phases[-1].ended is None:
            self.phases[-1].ended = now

    def _end_tasks(self, now: float) -> None:
        for task in self._tasks.values():
            if task.ended is None:
                task.ended = now

    def tasks(self) -> list[Task]:
        """All tasks that ran on some host, without checks of a role's own arguments."""
        return [
            task
            for phase in self.phases
            for role in phase.roles
            for task in role.tasks
            if task.action != VALIDATION and any(host.status != "skipped" for host in task.hosts.values())
        ]

    def executions(
        self, lines: Iterable[str] | None, names: Mapping[str, str]
    ) -> tuple[dict[str, int] | None, dict[str, dict[str, int]] | None]:
        """SSH executions per host, and per role and host. None for both when nothing could count them.

        lines: ``address<TAB>task's uuid`` for each. names: the inventory's name of an address.
        """
        if lines is None:
            return None, None
        per_host: Counter[str] = Counter()
        per_role: dict[str, Counter[str]] = {}
        for line in lines:
            address, _, uuid = line.partition("\t")
            host = names.get(address, address)
            per_host[host] += 1
            per_role.setdefault(self._roles.get(uuid, ""), Counter())[host] += 1
        return dict(per_host), {role: dict(counts) for role, counts in per_role.items()}

    def as_dict(
        self,
        now: float,
        finished: bool,
        stats: Mapping[str, Mapping[str, int]],
        executions: Iterable[str] | None,
        names: Mapping[str, str],
    ) -> dict[str, Any]:
        """The record as JSON's types. stats: per host, Ansible's own counts."""
        per_host, per_role = self.executions(executions, names)
        bad = any(counts.get("failed") or counts.get("unreachable") for counts in stats.values())
        return {
            "schema": SCHEMA,
            "playbook": self.playbook,
            "check_mode": self.check,
            "started": self.started,
            "finished": finished,
            "seconds": round(now, 3),
            "ok": finished and not bad,
            "stats": {host: dict(counts) for host, counts in stats.items()},
            "tasks": len(self.tasks()),
            "ssh_executions": per_host,
            "ssh_executions_by_role": per_role,
            "phases": [
                {
                    "name": phase.name,
                    "seconds": round((now if phase.ended is None else phase.ended) - phase.begun, 3),
                    "roles": [
                        {
                            "name": role.name,
                            "seconds": round(role.seconds(now), 3),
                            "tasks": [_task(task, now) for task in role.tasks],
                        }
                        for role in phase.roles
                    ],
                }
                for phase in self.phases
            ],
        }


def _task(task: Task, now: float) -> dict[str, Any]:
    return {
        "name": task.name,
        "action": task.action,
        "path": task.path,
        "seconds": round(task.seconds(now), 3),
        "hosts": {
            host: {
                "seconds": round((now if result.ended is None else result.ended) - result.begun, 3),
                "status": result.status or "running",
            }
            for host, result in task.hosts.items()
        },
    }


def role_line(role: Role, now: float) -> str:
    """One line for a role that has ended: hosts, time, and the slowest task when there was more than one."""
    counts = Counter(role.statuses().values())
    hosts = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]) or "no host"
    line = f"{_clock(now)}   {role.name or 'tasks':<{NAME_WIDTH}} {hosts:<{HOSTS_WIDTH}} {role.seconds(now):6.1f} s"
    worked = [task for task in role.tasks if task.action != VALIDATION]
    if not worked:
        return line
    slow = max(worked, key=lambda task: task.seconds(now))
    return f"{line}   slowest: {slow.name} {slow.seconds(now):.1f} s"


def phase_line(name: str, hosts: int, now: float) -> str:
    """One line for a phase that begins."""
    return f"{_clock(now)} {name} ({hosts} {'host' if hosts == 1 else 'hosts'})"


def _clock(now: float) -> str:
    return f"{int(now // 60):3d}:{int(now % 60):02d}"
