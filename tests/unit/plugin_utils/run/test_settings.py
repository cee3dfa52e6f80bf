"""What is said about the controller's own settings."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.run import settings


def test_a_run_without_its_record_shows_what_that_costs() -> None:
    [finding] = settings.missing({"default"})
    assert finding.line() == (
        "ansible.cfg: stdout_callback: found default; expected twinstack.core.run_report, which writes run.json; "
        "without it every run verifies everything again. Try: export ANSIBLE_STDOUT_CALLBACK=twinstack.core.run_report"
    )
    assert finding.level == "warning"


def test_it_may_be_one_callback_of_several() -> None:
    assert settings.missing({"default", settings.CALLBACK}) == []


def test_what_runs_leave_is_no_inventory(tmp_path: Path) -> None:
    """Told before anything is there, refused once it would be read as hosts."""
    ignored = ["^artifacts$", "^secrets$", "^known_hosts$"]
    assert settings.unread([tmp_path], ignored) == []
    assert [finding.level for finding in settings.unread([tmp_path], [])] == ["warning"]
    (tmp_path / "artifacts").mkdir()
    [finding] = settings.unread([tmp_path], [])
    assert finding.level == "error"
    assert finding.hint == "export ANSIBLE_INVENTORY_IGNORE_REGEX='^artifacts$, ^secrets$, ^known_hosts$'"
    assert settings.unread([tmp_path], ignored) == []
    assert settings.unread([tmp_path / "hosts.yml"], []) == []
