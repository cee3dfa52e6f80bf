"""One line per phase and role while a run goes on, and the run as JSON."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_report
type: stdout
short_description: One line per phase and role, and the run as JSON
version_added: 0.1.0
description:
  - Prints a line when a play begins and one when a role has ended, with host counts, time and the slowest task.
    Failures, differences and what C(debug) says are shown as Ansible's default output shows them; C(-v)
    shows all of that output.
  - Writes C(.artifacts/run.json) beside the inventory, and the same as C(.artifacts/runs/<time>.json), with the time of
    every play, role, task and host and the number of SSH executions per host. Both hold names and figures only, no
    arguments, no results.
requirements:
  - set as stdout_callback in ansible.cfg
extends_documentation_fragment:
  - default_callback
  - result_format_callback
author:
  - The Twinstack developers
"""

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.twinstack.core.plugins.plugin_utils.run import ssh_count
from ansible_collections.twinstack.core.plugins.plugin_utils.run.record import RunRecord, phase_line, role_line

KEPT_RUNS = 20  # older ones are removed
REPORT = "twinstack.core.report"  # what its task returns as summary is shown at the run's end
PLAN = "twinstack.core.plan"  # what its task returns as text is shown at once
# Of a failed task: its message, which is shown by itself, and what a person does not look for.
SAID = {
    "msg", "changed", "failed", "exception", "warnings", "deprecations", "assertion", "evaluated_to", "invocation",
    "finding", "findings",
}  # fmt: skip
TALKING = ("ansible.builtin.debug", "debug", "ansible.builtin.pause", "pause")


class CallbackModule(Default):
    """Ansible's default output, shortened, and a record of the run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "twinstack.core.run_report"

    def __init__(self) -> None:
        super().__init__()
        self._start = time.monotonic()
        self._record: RunRecord | None = None
        self._folder: Path | None = None
        self._names: dict[str, str] = {}
        self._file = ""
        self._hosts: set[str] = set()  # of the phase
        self._at: dict[str, str] = {}  # the role that each host is in
        self._shown: set[int] = set()  # places of the phase's roles that have been shown
        self._transient = False
        self._summaries: list[str] = []
        # Without a name: it goes with this process, however that ends.
        self._count, path = tempfile.mkstemp(prefix="twinstack-ssh-")
        Path(path).unlink()
        self._counted = 0  # bytes that earlier playbooks of the same command have left in it
        self._counting = ssh_count.install(self._count)

    # --- what is shown ------------------------------------------------------------------------------------

    @property
    def _short(self) -> bool:
        return bool(self._display.verbosity == 0)

    def _line(self, text: str, color: str | None = None) -> None:
        self._wipe()
        self._display.display(text, color=color)

    def _hint(self, text: str) -> None:
        """What runs now, on a terminal only, until the next line."""
        if self._short and sys.stdout.isatty():
            sys.stdout.write(f"\r\033[K{text}"[: os.get_terminal_size().columns + 4])
            sys.stdout.flush()
            self._transient = True

    def _wipe(self) -> None:
        if self._transient:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()
            self._transient = False

    def _end_roles(self, all_of_them: bool) -> None:
        """Show roles that have ended, unless they did nothing but check their arguments.

        all_of_them: the phase has ended. Else a role has ended when every host of the phase is in a later one.
        """
        if self._record is None or not self._record.phases or not self._short:
            return
        roles = self._record.phases[-1].roles
        names = [role.name for role in roles]
        slowest = min((names.index(self._at[host]) for host in self._hosts if host in self._at), default=0)
        if not all_of_them and len(self._at) < len(self._hosts):
            return
        for place, role in enumerate(roles):
            if (all_of_them or place < slowest) and place not in self._shown:
                self._shown.add(place)
                if not role.did_nothing():
                    self._line(role_line(role, self._now()))

    def _now(self) -> float:
        return time.monotonic() - self._start

    # --- events -------------------------------------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """The run begins."""
        super().v2_playbook_on_start(playbook)
        self._counted = os.fstat(self._count).st_size
        started = datetime.now(UTC).isoformat(timespec="seconds")
        name = os.path.relpath(playbook._file_name)
        self._record = RunRecord(name, started, bool(context.CLIARGS.get("check")))
        self._file = started.replace("+00:00", "Z").replace(":", "")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A phase begins."""
        self._end_roles(all_of_them=True)
        name = play.get_name().strip()
        self._play = play
        inventory = play.get_variable_manager()._inventory
        for host in inventory.get_hosts(pattern="all", ignore_limits=True, ignore_restrictions=True):
            self._names.setdefault(str(host.vars.get("ansible_host", host.name)), host.name)
            folder = Path(str(host.vars.get("inventory_dir")))  # "None" for hosts of a list on the command line
            if self._folder is None and folder.is_absolute():
                self._folder = folder / ".artifacts"
        if self._record is not None:
            self._record.phase_begins(name, self._now())
            self._write(finished=False, stats={})
        self._hosts = {host.get_name() for host in inventory.get_hosts(play.hosts)}
        self._at, self._shown = {}, set()
        if self._short:
            self._line(phase_line(name, len(self._hosts), self._now()))
        else:
            super().v2_playbook_on_play_start(play)

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        """A task begins: the default's bookkeeping, its banner only in the long form."""
        role = role_of(task)
        if self._record is not None and self._record.phases:
            action, path = task.resolved_action or task.action, task.get_path() or ""
            self._record.task_begins(task._uuid, plain_name(task), action, path, role, self._now())
        if self._short:
            if prefix is not None:
                self._task_type_cache[task._uuid] = prefix
            self._last_task_name = task.get_name().strip()
            self._hint(f"        {role or 'tasks'}: {self._last_task_name}")
        else:
            super()._task_start(task, prefix)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A task begins on a host."""
        if self._record is not None:
            self._record.host_begins(task._uuid, host.get_name(), self._now())
            if self._at.get(host.get_name()) != role_of(task):
                self._at[host.get_name()] = role_of(task)
                self._end_roles(all_of_them=False)
        super().v2_runner_on_start(host, task)

    def _ended(self, result: Any, status: str) -> None:
        if self._record is not None:
            self._record.host_ends(result.task._uuid, result.host.get_name(), status, self._now())

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task succeeded on a host."""
        changed = bool(result.result.get("changed", False))
        if result.task.resolved_action == REPORT:
            self._summaries.append(str(result.result.get("summary", "")))
        self._ended(result, "changed" if changed else "ok")
        if result.task.resolved_action == PLAN and result.result.get("text"):
            self._line(str(result.result["text"]))
        elif not self._short:
            super().v2_runner_on_ok(result)
        elif result.task.action in TALKING and "msg" in result.result and not result.result.get("censored"):
            self._line(_said(result.result["msg"]))
        elif changed and context.CLIARGS.get("check"):
            self._line(f"        would change {result.host.get_name()}: {result.task.get_name().strip()}")
        elif result.result.get("warnings") or result.result.get("deprecations"):
            self._wipe()
            self._handle_warnings_and_exception(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was skipped on a host."""
        self._ended(result, "skipped")
        if not self._short:
            super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed on a host."""
        self._ended(result, "ok" if ignore_errors else "failed")
        self._wipe()
        said = result.result.get("msg")
        looped = bool(result.task.loop) and "results" in result.result
        if not (self._short and isinstance(said, str)) or looped or ignore_errors or is_ansibles(said):
            super().v2_runner_on_failed(result, ignore_errors=ignore_errors)
            return
        # The message once, as it is: in YAML its quotes would be doubled and its lines indented.
        self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        self._clean_results(result.result, result.task.action)
        self._line(f"fatal: [{self.host_label(result)}]: FAILED! => {said}", color=constants.COLOR_ERROR)
        more = {key: value for key, value in result.result.items() if key not in SAID and not key.startswith("_")}
        if more:
            self._line(self._dump_results(more).lstrip("\n"), color=constants.COLOR_ERROR)

    def _handle_exception(self, result: Any, use_stderr: bool = False) -> None:
        """Show an error of Ansible's own with its origin; what a task says itself, ``fatal:`` shows once."""
        if result.get("censored"):  # the exception's text would say what no_log hides
            result.pop("exception", None)
            return
        said = str(result.get("msg", ""))
        if said and not is_ansibles(said) and self._display.verbosity < 3:
            result.pop("exception", None)
            return
        super()._handle_exception(result, use_stderr=use_stderr)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        self._ended(result, "unreachable")
        self._wipe()
        super().v2_runner_on_unreachable(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """One item of a loop succeeded."""
        if not self._short:
            super().v2_runner_item_on_ok(result)
        elif result.task.action in TALKING and "msg" in result.result and not result.result.get("censored"):
            self._line(_said(result.result["msg"]))

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """One item of a loop failed."""
        self._wipe()
        super().v2_runner_item_on_failed(result)

    def v2_on_file_diff(self, result: Any) -> None:
        """A difference, with --diff."""
        self._wipe()
        super().v2_on_file_diff(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Tasks were included."""
        if not self._short:
            super().v2_playbook_on_include(included_file)

    def v2_runner_retry(self, result: Any) -> None:
        """A task is tried again."""
        self._wipe()
        super().v2_runner_retry(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run has ended."""
        self._end_roles(all_of_them=True)
        self._wipe()
        now = self._now()
        summary = {}
        for host in sorted(stats.processed):
            counts = stats.summarize(host)
            summary[host] = {name: counts[name] for name in ("ok", "changed", "unreachable", "skipped")}
            summary[host]["failed"] = counts["failures"]
        super().v2_playbook_on_stats(stats)
        if self._record is None:
            return
        self._record.close(now)
        written = self._write(finished=True, stats=summary)
        if written:
            count = len(self._record.tasks())
            self._display.display(f"{now:.1f} s, {count} tasks; every phase, role, task and host: {written}")
        for text in self._summaries:
            self._display.display(f"\n{text}")

    # --- the record ---------------------------------------------------------------------------------------

    def _write(self, finished: bool, stats: dict[str, dict[str, int]]) -> Path | None:
        """Write the record beside the inventory. None when there is no inventory folder or it is not writable."""
        if self._record is None or self._folder is None:
            return None
        size = os.fstat(self._count).st_size
        counted = os.pread(self._count, size - self._counted, self._counted).decode()
        lines = counted.splitlines() if self._counting else None
        data = self._record.as_dict(self._now(), finished, stats, lines, self._names)
        text = json.dumps(data, indent=1) + "\n"
        latest, runs = self._folder / "run.json", self._folder / "runs"
        try:
            runs.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in (runs / f"{self._file}.json", latest):
                part = path.with_suffix(".part")
                part.write_text(text, encoding="utf-8")
                part.replace(path)
            for old in sorted(runs.glob("*.json"))[:-KEPT_RUNS]:
                old.unlink(missing_ok=True)
        except OSError as error:
            self._display.warning(f"the run's record was not written: {error}")
            self._folder = None
            return None
        return latest


def is_ansibles(message: str) -> bool:
    """Whether a failure's message is Ansible's own, as for a template that cannot be resolved, and not the task's."""
    return message.startswith("Task failed")


def role_of(task: Any) -> str:
    """The short name of a task's role; empty for a play's own tasks."""
    return str(task._role.get_name().rpartition(".")[2]) if task._role else ""


def plain_name(task: Any) -> str:
    """A task's name as its author wrote it: templates in it stay templates, whatever their values are."""
    written = task._ds.get("name") if isinstance(task._ds, dict) else None
    if isinstance(written, str):
        return str(written).strip()
    return str(task.get_name(include_role_fqcn=False)).strip()


def _said(message: Any) -> str:
    return message if isinstance(message, str) else json.dumps(message, indent=1, default=str)
