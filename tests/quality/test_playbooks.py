"""Playbooks as ansible-playbook is given them: whatever options are used, none goes round the checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.run import options

from tests.conftest import ROOT, Run, run

PLAYBOOKS = ROOT / "playbooks"
#: Of the lab, which has no inventory of its own before it is up, and of the developers.
OTHERS = {"lab", "bump.yml"}


def plays() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every play of every playbook, with the playbook's path."""
    for path in sorted(PLAYBOOKS.rglob("*.yml")):
        if "collections" in path.parts:
            continue
        for play in yaml.safe_load(path.read_text()):
            yield str(path.relative_to(PLAYBOOKS)), play


def tags_of(play: dict[str, Any]) -> set[str]:
    """All tags of a play's tasks and roles."""
    items = [play, *play.get("tasks", []), *play.get("roles", []), *play.get("pre_tasks", [])]
    return {tag for item in items for tag in item.get("tags", [])}


def test_no_play_starts_without_a_look_at_the_options() -> None:
    """By the lookup in its hosts."""
    without = [
        f"{path}: {play['name']}"
        for path, play in plays()
        if "hosts" in play and path.split("/")[0] not in OTHERS and "twinstack.core.play_hosts" not in play["hosts"]
    ]
    assert without == []


def test_the_tags_that_are_known_are_those_that_there_are() -> None:
    """Else a tag is refused that a step has, or a slip runs nothing and reports success."""
    there = {tag for path, play in plays() if path.split("/")[0] not in OTHERS for tag in tags_of(play)}
    assert there - {"always"} == set(options.TAGS)
    assert not set(options.RENAMED_TAGS) & set(options.TAGS)
    assert set(options.RENAMED_TAGS.values()) <= set(options.TAGS)


def test_steps_that_are_refused_are_imported_by_the_playbook_that_is_named() -> None:
    """Directly or through another one."""

    def imported(path: Path) -> set[Path]:
        found = {path}
        for play in yaml.safe_load(path.read_text()):
            if "import_playbook" in play:
                found |= imported(path.parent / play["import_playbook"])
        return {one.resolve() for one in found}

    for path in sorted(PLAYBOOKS.rglob("*.yml")):
        whole = options.step_of(str(path)) if "collections" not in path.parts else ""
        if whole:
            assert path.resolve() in imported(ROOT / whole), path


def roles_of(play: dict[str, Any]) -> list[str]:
    """Roles that a play's tasks import, in their order, each with ``/entry point`` unless that is main."""
    imported = [task.get("ansible.builtin.import_role", {}) for task in play.get("tasks", [])]
    return [
        "/".join([role.get("name", ""), *([role["tasks_from"]] if "tasks_from" in role else [])]) for role in imported
    ]


def test_a_play_that_goes_on_without_hosts_ends_with_their_names() -> None:
    """And what comes next on localhost stops when everything needs them: Ansible itself goes on there."""
    # A play that takes its hosts one by one ends the run by itself when it loses one.
    listed = [
        (path, play) for path, play in plays() if "hosts" in play and path != "reset.yml" and "serial" not in play
    ]
    going_on = [number for number, (_, play) in enumerate(listed) if play.get("any_errors_fatal") is False]
    four = {"cluster/nodes.yml", "cluster/join.yml", "istio/install.yml", "observability.yml"}
    assert {listed[number][0] for number in going_on} == four
    for number in going_on:
        path, play = listed[number]
        named = play if play.get("strategy") != "ansible.builtin.free" else listed[number + 1][1]
        assert roles_of(named)[-1] == "twinstack.core.lost_hosts", path
        assert not named.get("any_errors_fatal"), path
    for path in ("cluster/network.yml", "istio/install.yml", "observability.yml"):
        [local] = [play for other, play in listed if other == path and "localhost" in play["hosts"]]
        assert roles_of(local)[0] == "twinstack.core.lost_hosts/required", path


def test_a_run_that_lost_hosts_fails_before_it_verifies() -> None:
    """Nothing verifies a cluster without one of its hosts."""
    for path, after in (("site.yml", "verification/unchanged.yml"), ("mesh.yml", "")):
        steps = [play["import_playbook"] for play in yaml.safe_load((PLAYBOOKS / path).read_text())]
        assert [*steps, ""][steps.index("cluster/lost.yml") + 1] == after


def start(*arguments: str) -> Run:
    """Run a playbook on the example inventory, whose hosts are never reached."""
    environment = {"ANSIBLE_SSH_EXECUTABLE": "/bin/false"}
    return run("ansible-playbook", "-i", "inventory/example", *arguments, environment=environment)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["site.yml", "--limit", "n1"], "--limit: found n1; expected localhost beside it"),
        (["site.yml", "--tags", "network"], "--tags: found network, which no step has; expected calico"),
        (["site.yml", "--start-at-task", "Install"], "--start-at-task: found Install"),
        (["playbooks/cluster/join.yml"], "playbooks/cluster/join.yml: found one step of site.yml"),
    ],
)
def test_the_first_line_says_it(arguments: list[str], said: str) -> None:
    """And no host is contacted."""
    names = yaml.safe_load((ROOT / "inventory/example/hosts.yml").read_text())
    [first] = list(names["control_plane"]["hosts"])[:1]
    done = start(*(first if argument == "n1" else argument for argument in arguments))
    assert done.code
    assert said.replace("n1", first) in done.output.splitlines()[0]
    assert "UNREACHABLE" not in done.output


@pytest.mark.parametrize("arguments", [["site.yml", "--tags", "calico"], ["playbooks/reset.yml", "--limit", "worker"]])
def test_a_wrong_inventory_is_refused_whatever_is_left_out(arguments: list[str]) -> None:
    """Before a host is contacted."""
    done = start(*arguments, "-e", "twinstack_proxy_mode=iptables")
    assert done.code
    assert "command line: twinstack_proxy_mode: found iptables" in done.output
    assert "UNREACHABLE" not in done.output
