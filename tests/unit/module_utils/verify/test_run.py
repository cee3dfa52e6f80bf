"""The loop around batches: what is probed when, again, and what is waited for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import run as verify_run
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import GROUPS
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Action,
    Fetch,
    Known,
    Probe,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.outside import run_outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.run import (
    endpoints_complete,
    probe_all,
    wait_for_agents,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan

from tests.unit.module_utils.verify.samples import NAMESPACE, raw_cluster, sample_cluster


def small_plan(ports: dict[str, int]) -> Plan:
    return Plan(
        (
            probe("host-host", "host/a", Fetch(f"http://127.0.0.1:{ports['IPv4']}/")),
            probe("cluster-ip", "host/a", Fetch(f"http://[::1]:{ports['IPv6']}/")),
            probe("addresses", "", Known(False, "gone")),
        ),
        (),
    )


def probe(group: str, runner: str, action: Action) -> Probe:
    return Probe(group, group, group, "IPv4", "a", "b", runner, action)


def test_services_are_probed_after_the_rest_and_failures_again(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_run, "AGAIN_SECONDS", 0.0)
    batches = []

    def late_service(runner: str, text: str) -> str:
        batches.append(text)
        if len(batches) == 2:
            raise OSError("connection refused")
        return run_outside((), text, 30)

    verdicts = probe_all(small_plan(ports), late_service, 2)
    assert {name: verdict.ok for name, verdict in verdicts.items()} == {
        "host-host": True,
        "cluster-ip": True,
        "addresses": False,
    }
    assert len(batches) == 3, "what passed is not probed again, what cannot change neither"


@pytest.mark.parametrize("group", [group.id for group in GROUPS if group.turn is Turn.TELEMETRY])
def test_traffic_is_sent_again_only_while_it_is_to_be_seen(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    """What is counted, traced or drawn may have been missed the first time; other groups need no traffic."""
    monkeypatch.setattr(verify_run, "AGAIN_SECONDS", 0.0)
    (traffic,) = (one.id for one in GROUPS if one.traffic)
    groups = (group, "cluster-ip", traffic, "host-host")
    todo = Plan(tuple(probe(name, name, Fetch(f"http://[::1]:{ports['IPv6']}/")) for name in groups), ())

    def counted(failing: dict[str, int]) -> tuple[list[int], str]:
        """How often each group was probed when some fail at first, and which one came last the first time."""
        ran: list[str] = []

        def execute(runner: str, text: str) -> str:
            ran.append(runner)
            if ran.count(runner) <= failing.get(runner, 0):
                raise OSError("nothing yet")
            return run_outside((), text, 30)

        assert all(verdict.ok for verdict in probe_all(todo, execute, 30).values())
        return [ran.count(name) for name in groups], ran[3]

    assert counted({group: 3, "cluster-ip": 1}) == ([4, 2, 4, 1], group)
    assert counted({"cluster-ip": 2}) == ([1, 3, 1, 1], group)


def test_a_tenants_program_that_has_gone_meanwhile_is_skipped_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify_run, "AGAIN_SECONDS", 0.0)

    def refuse(runner: str, text: str) -> str:
        raise OSError("no such pod")

    names = ("tenant-listens", "host-host")
    todo = Plan(tuple(probe(name, name, Fetch("http://[::1]:1/")) for name in names), ())
    verdicts = probe_all(todo, refuse, 0.2, lambda: Plan((), ()))
    assert verdicts["tenant-listens"] == Verdict(False, "its pods have gone meanwhile", skip=True)
    assert not verdicts["host-host"].skip


def test_a_runner_that_cannot_be_reached_fails_its_probes(ports: dict[str, int]) -> None:
    def refuse(runner: str, text: str) -> str:
        raise OSError("exec refused: container not found")

    verdict = probe_all(small_plan(ports), refuse, 0)["host-host"]
    assert verdict == Verdict(False, "could not run in host/a: exec refused: container not found")


def test_a_cut_off_answer_fails_its_probes(ports: dict[str, int]) -> None:
    verdict = probe_all(small_plan(ports), lambda runner, text: "curl:0\t200", 0)["host-host"]
    assert "cut off" in verdict.detail


def test_endpoints_are_waited_for() -> None:
    assert endpoints_complete(sample_cluster(), NAMESPACE)
    raw = raw_cluster()
    raw["slices"][-1]["endpoints"].pop()
    raw["slices"][-3]["endpoints"].pop()
    assert not endpoints_complete(observe(raw), NAMESPACE)


def test_only_ready_nodes_are_waited_for() -> None:
    raw = raw_cluster()
    raw["nodes"][2]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    for pod in raw["pods"]:
        if pod["spec"]["nodeName"] == "worker2":
            pod["status"] = {"phase": "Pending"}
    for piece in raw["slices"]:
        piece["endpoints"] = [entry for entry in piece["endpoints"] if ".3." not in entry["addresses"][0]]
    looks = []

    def look() -> Any:
        looks.append(1)
        return observe(raw)

    cluster = wait_for_agents(look, NAMESPACE, 30)
    assert len(looks) == 1
    assert not cluster.agents["pod/worker2"].running


def test_while_the_hint_says_no_there_is_hardly_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong hint only delays: when time is up, or now and then, the cluster itself is read."""
    asked: list[str] = []

    def hint() -> bool:
        asked.append("hint")
        return len(asked) > 3

    def look() -> Any:
        asked.append("look")
        return sample_cluster()

    wait_for_agents(look, NAMESPACE, 30, hint)
    assert asked == ["hint"] * 4 + ["look"]
    asked.clear()
    monkeypatch.setattr(verify_run, "LOOK_SECONDS", 0.5)
    assert wait_for_agents(look, NAMESPACE, 30, lambda: False).agents
    assert asked == ["look"]
    asked.clear()
    assert wait_for_agents(look, NAMESPACE, 0, lambda: False).agents
    assert asked == ["look"]
