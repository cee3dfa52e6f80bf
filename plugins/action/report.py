"""Writes a verification's report on the controller and returns its summary, which ends the run's output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.plugin_utils.report import page as report_page


def phases(record: Path, seconds: float) -> list[dict[str, Any]]:
    """The phases of the current run, from what the callback wrote at the start of the last one.

    seconds: how long the verification took, which is that last phase. None when the callback does not run.
    """
    try:
        run = json.loads(record.read_text(encoding="utf-8"))
        found = [] if run["finished"] else list(run["phases"])
        return [*found[:-1], {**found[-1], "seconds": seconds}] if found else []
    except (OSError, ValueError, KeyError):
        return []


def still_holds(endpoints: Sequence[Mapping[str, Any]], hosts: int) -> dict[str, Any]:
    """When, and by how many connectivity checks, the last verification still held.

    endpoints: those that each of a number of hosts has checked instead of a whole verification.
    """
    counts = {family: hosts * sum(one["family"] == family for one in endpoints) for family in FAMILIES}
    return {"seen": datetime.now(UTC).isoformat(timespec="seconds"), "ways": counts}


def read(path: Path) -> dict[str, Any]:
    """The last report; the beginning of one where none was written before."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        found = dict(report_page.EMPTY)
    return found


def with_scenarios(report: dict[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A report with new results of scenarios beside those not run this time, and the topology observed meanwhile."""
    new = json.loads(json.dumps(arguments["scenarios"]))
    ran = {result["id"] for result in new}
    kept = [result for result in report.get("scenarios", []) if result["id"] not in ran]
    results = sorted([*kept, *new], key=lambda result: str(result["id"]))
    seen = json.loads(json.dumps(arguments.get("topology") or {}))
    drawn = {"topology": seen} if seen.get("edges") else {}
    probed = all(probe["ok"] for probe in report["probes"])
    return report | drawn | {"scenarios": results, "ok": probed and all(result["ok"] for result in results)}


class ActionModule(ActionBase):
    """Never reports a change: a report is no state of a host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result = super().run(tmp, task_vars)
        folder = Path(str(self._task.args["dest"])).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if "scenarios" in self._task.args:
            report = with_scenarios(read(folder / "report.json"), self._task.args)
        elif "report" in self._task.args:
            report = json.loads(json.dumps(self._task.args["report"]))
            report["run"] = phases(folder / "run.json", report["seconds"])
            if "comparison" in (before := read(folder / "report.json")):
                report["comparison"] = before["comparison"]
        elif "comparison" in self._task.args:
            measured = datetime.now(UTC).isoformat(timespec="seconds")
            results = json.loads(json.dumps(self._task.args["comparison"]))
            report = read(folder / "report.json") | {"comparison": {"measured": measured, "results": results}}
        else:
            report = read(folder / "report.json")
            report["again"] = still_holds(self._task.args["endpoints"], int(self._task.args["hosts"]))
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (folder / "report.xml").write_bytes(report_page.junit(report))
        (folder / "report.html").write_text(report_page.page(report), encoding="utf-8")
        summary = [report_page.summary(report), f"report: {folder}/report.html"]
        if self._task.args.get("kubeconfig"):
            summary.append(f"kubeconfig: {self._task.args['kubeconfig']}")
        return result | {"changed": False, "ok": bool(report["ok"]), "summary": "\n".join(summary)}
