"""What is said about the controller's own settings."""

from __future__ import annotations

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
