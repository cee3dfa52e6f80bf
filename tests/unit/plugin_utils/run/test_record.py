"""Times, counts and lines of a run's record."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.plugin_utils.run.record import (
    VALIDATION,
    RunRecord,
    phase_line,
    role_line,
)


def record() -> RunRecord:
    """Two phases: role one with a check and two tasks, then a phase that still runs."""
    run = RunRecord("site.yml", "2026-01-01T00:00:00+00:00", False)
    run.phase_begins("Hosts", 0.0)
    run.task_begins("t0", "Validating", VALIDATION, "", "one", 0.0)
    run.host_begins("t0", "a", 0.0)
    run.host_ends("t0", "a", "ok", 0.5)
    run.task_begins("t1", "First", "twinstack.core.host_state", "roles/one/tasks/main.yml:1", "one", 1.0)
    for host, end, status in (("a", 2.0, "ok"), ("b", 4.0, "changed")):
        run.host_begins("t1", host, 1.0)
        run.host_ends("t1", host, status, end)
    run.task_begins("t2", "Second", "twinstack.core.images", "roles/one/tasks/main.yml:9", "one", 4.0)
    run.host_begins("t2", "a", 4.0)
    run.host_ends("t2", "a", "skipped", 4.1)
    run.phase_begins("Verify", 5.0)
    run.task_begins("t3", "Probe", "twinstack.core.verify", "", "verify", 5.0)
    run.host_begins("t3", "localhost", 5.0)
    return run


def test_times_per_phase_role_task_and_host() -> None:
    data = record().as_dict(8.0, False, {}, None, {})
    hosts, verify = data["phases"]
    assert (hosts["name"], hosts["seconds"], verify["seconds"]) == ("Hosts", 5.0, 3.0)
    one = hosts["roles"][0]
    assert [task["seconds"] for task in one["tasks"]] == [0.5, 3.0, 0.1]
    assert one["seconds"] == 3.6
    assert one["tasks"][1]["hosts"] == {
        "a": {"seconds": 1.0, "status": "ok"},
        "b": {"seconds": 3.0, "status": "changed"},
    }
    assert verify["roles"][0]["tasks"][0]["hosts"]["localhost"] == {"seconds": 3.0, "status": "running"}
    assert data["tasks"] == 2, "a check of a role's own arguments is no task of the path, nor is one that was skipped"
    assert data["ssh_executions"] is None
    assert not data["ok"], "a run that has not finished is not ok"


def test_executions_per_host_and_role() -> None:
    lines = ["10.0.0.1\tt1", "10.0.0.1\tt2", "10.0.0.2\tt1", "fd00::9\tunknown"]
    data = record().as_dict(8.0, True, {}, lines, {"10.0.0.1": "a", "10.0.0.2": "b"})
    assert data["ssh_executions"] == {"a": 2, "b": 1, "fd00::9": 1}
    assert data["ssh_executions_by_role"] == {"one": {"a": 2, "b": 1}, "": {"fd00::9": 1}}


def test_a_failed_or_unreachable_host_is_not_ok() -> None:
    for field in ("failed", "unreachable"):
        assert not record().as_dict(8.0, True, {"a": {field: 1}}, [], {})["ok"]
    assert record().as_dict(8.0, True, {"a": {"failed": 0, "unreachable": 0}}, [], {})["ok"]


def test_a_roles_line_names_hosts_and_the_slowest_task() -> None:
    role = record().phases[0].roles[0]
    words = role_line(role, 65.0).split()
    assert words == "1:05 one 1 changed, 1 ok 3.6 s slowest: First 3.0 s".split()  # noqa: SIM905 - as it is read
    assert not role.only_validates()


def test_the_worst_status_of_a_host_counts() -> None:
    run = record()
    run.host_ends("t2", "b", "failed", 9.0)
    assert run.phases[0].roles[0].statuses() == {"a": "ok", "b": "failed"}


def test_a_phases_line() -> None:
    assert phase_line("Hosts", 3, 5.0) == "  0:05 Hosts (3 hosts)"
    assert phase_line("Verify", 1, 125.0) == "  2:05 Verify (1 host)"


def test_hosts_that_go_ahead_do_not_end_the_tasks_of_others() -> None:
    run = RunRecord("site.yml", "2026-01-01T00:00:00+00:00", False)
    run.phase_begins("Hosts", 0.0)
    for uuid, host, begin, end in (("t1", "a", 0.0, 1.0), ("t2", "a", 1.0, 2.0), ("t1", "b", 0.0, 5.0)):
        run.task_begins(uuid, uuid, "twinstack.core.host_state", "", "one", begin)
        run.host_begins(uuid, host, begin)
        run.host_ends(uuid, host, "ok", end)
    role = run.phases[0].roles[0]
    assert [(task.name, task.seconds(9.0)) for task in role.tasks] == [("t1", 5.0), ("t2", 1.0)]
    assert role.seconds(9.0) == 5.0, "time in which two tasks run counts once"


def test_a_play_that_takes_its_hosts_one_by_one_has_its_tasks_each_time() -> None:
    """Ansible starts the play again for each of them, with tasks of the same identity."""
    run = RunRecord("site.yml", "2026-01-01T00:00:00+00:00", False)
    for number, host in enumerate(("a", "b")):
        run.phase_begins("One by one", float(number))
        run.task_begins("t1", "First", "twinstack.core.host_state", "", "one", float(number))
        run.host_begins("t1", host, float(number))
        run.host_ends("t1", host, "ok", number + 0.5)
    phases = run.as_dict(2.0, True, {}, None, {})["phases"]
    assert [list(phase["roles"][0]["tasks"][0]["hosts"]) for phase in phases] == [["a"], ["b"]]
