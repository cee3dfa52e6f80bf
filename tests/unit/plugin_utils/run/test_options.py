"""Options that leave parts of a playbook out: refused in a line each, or let through where a run can do with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.run import options
from ansible_collections.twinstack.core.plugins.plugin_utils.run.options import Options


def test_nothing_is_left_out() -> None:
    assert options.hosts("localhost", Options(("site.yml",))) == "localhost"
    assert (
        options.hosts("control_plane:worker", Options(("site.yml",), tags=("calico", "all"))) == "control_plane:worker"
    )


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        ("n2", "localhost,n2"),
        ("n2,n3", "localhost,n2,n3"),
        ("worker:!n3", "localhost,worker,!n3"),
        ("!n1", "all,localhost,!n1"),
        ("&worker", "all,localhost,&worker"),
        ("n[1:3]", "localhost,n[1:3]"),
    ],
)
def test_a_limit_names_the_controller_where_a_play_runs_there(limit: str, named: str) -> None:
    """With the command that does; a play on hosts alone goes on with what was named."""
    with pytest.raises(ValueError) as refused:
        options.hosts("localhost", Options(("site.yml",), limit=limit))
    assert str(refused.value).endswith(f"Try: --limit '{named}'")
    assert options.hosts("localhost", Options(("site.yml",), limit=named)) == "localhost"
    assert options.hosts("control_plane:worker", Options(("reset.yml",), limit=limit)) == "control_plane:worker"


def test_all_reasons_come_at_once() -> None:
    """An old tag with its new name, a slip with what was meant, a start in the middle, a check left out."""
    given = Options(("site.yml",), "n2", ("network", "bundel", "foo"), ("preflight",), "Install containerd")
    with pytest.raises(ValueError) as refused:
        options.hosts("localhost", given)
    lines = str(refused.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "--start-at-task:", "--tags:", "--tags:", "--tags:", "--skip-tags:", "--limit:",
    ]  # fmt: skip
    assert "found network, which no step has; expected calico" in lines[1]
    assert "found bundel, which no step has; expected bundle" in lines[2]
    assert "found foo, which no step has; expected one of bundle, calico" in lines[3]


@pytest.mark.parametrize(
    ("playbook", "whole"),
    [
        ("playbooks/cluster/join.yml", "site.yml"),
        ("/srv/twinstack/playbooks/cluster/nodes.yml", "site.yml"),
        ("twinstack.core.cluster.nodes", "site.yml"),
        ("playbooks/tenancy/apply.yml", "playbooks/tenants.yml"),
        ("twinstack.core.istio.install", "playbooks/mesh.yml"),
        ("playbooks/istio/uninstall.yml", ""),
        ("twinstack.core.istio.uninstall", ""),
        ("twinstack.core.site", ""),
        ("site.yml", ""),
        ("playbooks/tenants.yml", ""),
    ],
)
def test_a_step_names_the_playbook_that_it_is_of(playbook: str, whole: str) -> None:
    """By its path or by its full name."""
    assert options.step_of(playbook) == whole
    reasons = options.refusals(Options((playbook,)))
    assert bool(reasons) == bool(whole)
    assert all(f"one step of {whole}" in reason and f"Try: {whole}" in reason for reason in reasons)


def test_options_come_from_the_command() -> None:
    """As Ansible keeps them: tags as lists, each of them with commas or without."""
    arguments = {"args": ("site.yml",), "subset": None, "tags": ["a,b", "c"], "skip_tags": (), "start_at_task": None}
    assert options.of(arguments) == Options(("site.yml",), "", ("a", "b", "c"))
    assert options.of({}) == Options()


@pytest.mark.parametrize("name", ["syntax", "listtasks", "listtags", "listhosts"])
def test_where_nothing_runs_any_playbook_may_be_looked_at(name: str) -> None:
    assert options.of({name: True}).nothing_runs
    assert options.hosts("localhost", Options(("playbooks/cluster/join.yml",), nothing_runs=True)) == "localhost"


def test_without_an_inventory_the_first_reason_is_that(tmp_path: Path) -> None:
    """As from another folder, where no ansible.cfg names one; a list of hosts is one."""
    [reason] = options.refusals(options.of({"inventory": (str(tmp_path / "hosts"),)}))
    assert reason.endswith("expected an inventory. Try: -i inventory/prod")
    assert options.refusals(options.of({"inventory": (str(tmp_path),)})) == []
    assert options.refusals(options.of({"inventory": ("localhost,",)})) == []
