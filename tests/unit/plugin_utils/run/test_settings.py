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


def test_what_earlier_releases_left_is_moved_where_ansible_does_not_look(tmp_path: Path) -> None:
    """One finding with all commands; nothing for names that Ansible ignores, nor for a place that was chosen."""
    (tmp_path / ".artifacts").mkdir()
    assert settings.left_by_earlier_releases(tmp_path, []) == []
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "known_hosts").touch()
    [finding] = settings.left_by_earlier_releases(tmp_path, [])
    assert finding.level == "error" and finding.found == "artifacts, known_hosts"
    assert finding.hint == (
        f"mv {tmp_path}/artifacts {tmp_path}/.artifacts && mv {tmp_path}/known_hosts {tmp_path}/.known_hosts && "
        "set UserKnownHostsFile={{ inventory_dir }}/.known_hosts in group_vars/all/connection.yml"
    )
    chosen = [tmp_path / "artifacts", tmp_path / "known_hosts"]
    assert settings.left_by_earlier_releases(tmp_path, chosen) == []
