"""Starts of ssh as lines of a file, with a connection of the test's own in place of Ansible's."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.connection import ssh
from ansible_collections.twinstack.core.plugins.plugin_utils.run import ssh_count


def test_an_execution_becomes_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            pass

        def get_option(self, name: str) -> str:
            return "10.0.0.1"

        def _bare_run(self, command: list[str]) -> str:
            return "done"

    monkeypatch.setattr(ssh, "Connection", Connection)
    path = tmp_path / "lines"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    assert ssh_count.install(descriptor)
    connection = Connection(task_uuid="t1")
    assert connection._bare_run(["ssh"]) == "done"
    connection._bare_run(["ssh"])
    os.close(descriptor)
    assert path.read_text() == "10.0.0.1\tt1\n" * 2


def test_an_unknown_ansible_core_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "Connection", type("Connection", (), {}))
    assert not ssh_count.install(1)


class Connection:
    """What is used of Ansible's connection. Its own address is the play's; the option may name another."""

    address: str | None = "fd00::11"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.given = arguments, options
        self._play_context = SimpleNamespace(remote_addr="10.0.0.9")

    def get_option(self, name: str) -> str | None:
        """The option ``host``; no other one is asked for."""
        return {"host": self.address}[name]

    def _bare_run(self, command: list[str], data: bytes = b"") -> tuple[list[str], bytes]:
        if command == ["fails"]:
            raise ConnectionError("no route to host")
        return command, data


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a count that goes on, with a line of another process in it."""
    path = tmp_path / "lines"
    path.write_text("10.0.0.1\tearlier\n", encoding="utf-8")
    counted = type("Connection", (Connection,), {"__init__": Connection.__init__, "_bare_run": Connection._bare_run})
    monkeypatch.setattr(ssh, "Connection", counted)
    descriptor = os.open(path, os.O_WRONLY)  # at the beginning of the file, and not for appending
    assert ssh_count.install(descriptor)
    return path


def counted(path: Path) -> list[str]:
    """All lines but the first."""
    first, *others = path.read_text(encoding="utf-8").splitlines()
    assert first == "10.0.0.1\tearlier", "written over"
    return others


def test_arguments_and_results_pass_unchanged(lines: Path) -> None:
    connection = ssh.Connection("play", "stdin", task_uuid="t1", shell="sh")
    assert connection.given == (("play", "stdin"), {"task_uuid": "t1", "shell": "sh"})
    assert connection._bare_run(["ssh"], data=b"x") == (["ssh"], b"x")
    assert counted(lines) == ["fd00::11\tt1"]


def test_an_execution_that_fails_counts_and_each_retry_too(lines: Path) -> None:
    connection = ssh.Connection(task_uuid="t1")
    for _ in range(2):
        with pytest.raises(ConnectionError, match="no route to host"):
            connection._bare_run(["fails"])
    assert counted(lines) == ["fd00::11\tt1"] * 2


def test_without_the_option_the_plays_address_counts(lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "address", None)
    ssh.Connection(task_uuid="t1")._bare_run(["ssh"])
    assert counted(lines) == ["10.0.0.9\tt1"]


def test_an_execution_of_no_task_has_an_empty_one(lines: Path) -> None:
    ssh.Connection()._bare_run(["ssh"])
    assert counted(lines) == ["fd00::11\t"]


def test_lines_of_forked_workers_are_whole_and_all_there(lines: Path) -> None:
    workers = []
    for number in range(4):
        worker = os.fork()
        if not worker:
            status = 1
            try:
                connection = ssh.Connection(task_uuid=f"t{number}")
                for _ in range(50):
                    connection._bare_run(["ssh"])
                status = 0
            finally:
                os._exit(status)  # whatever happened: the rest of the tests is the parent's
        workers.append(worker)
    assert [os.waitpid(worker, 0)[1] for worker in workers] == [0] * 4
    assert sorted(counted(lines)) == sorted(f"fd00::11\tt{number}" for number in range(4) for _ in range(50))


def test_this_ansible_core_has_the_place_to_count_at() -> None:
    """Else every run would say that it did not count."""
    assert callable(getattr(ssh.Connection, ssh_count.METHOD))
