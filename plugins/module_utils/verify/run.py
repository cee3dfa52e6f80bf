"""The verification from beginning to end: create agents, probe, probe failures again, conclude, remove."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS
from ansible_collections.twinstack.core.plugins.module_utils.verify import fingerprint
from ansible_collections.twinstack.core.plugins.module_utils.verify.cluster import VerificationCluster, wait_until
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import BY_ID
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    GATEWAY,
    OUTSIDE,
    POD,
    TENANT,
    Cluster,
    Known,
    Outside,
    Probe,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import SERVICE_PORT, mesh_namespace
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.outside import listening, run_outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge, known, parse_output
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan import plan, plan_without_agents
from ansible_collections.twinstack.core.plugins.module_utils.verify.report import conclude
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch

BATCH_SECONDS = 60.0  # longest time for one shell's whole batch
ENDPOINTS_SECONDS = 10.0
AGAIN_SECONDS = 1.0
LOOK_SECONDS = 5.0  # a look reads everything; on a small control plane it takes a second or two
MOST_SHELLS = 32

Execute = Callable[[str, str], str]


@dataclass(frozen=True)
class Settings:
    """The module's parameters. Times in seconds; outside_prefix None = nothing is probed from outside.

    wait_removed: False = what was created may still be on its way out at the end.
    """

    name: str
    namespace: str
    image: str
    host_port: int
    proxy_mode: str
    start_seconds: float
    settle_seconds: float
    remove_seconds: float
    wait_removed: bool
    linger_seconds: float = 0
    mesh: bool = True
    outside_prefix: tuple[str, ...] | None = None
    outside_addresses: Mapping[str, str] = field(default_factory=dict)


def verify(api: VerificationCluster, settings: Settings, create: bool) -> tuple[dict[str, Any], list[str]]:
    """The report, and why namespaces could not be removed, as lines.

    create: False = look only (check mode).
    """
    if settings.mesh:
        api.find_mesh()
    started, begun = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    if not create:
        cluster = observe(api.observe(settings.namespace, settings.name, {}))
        todo = plan_without_agents(cluster, settings.namespace)
        return conclude(todo, probe_all(todo, _refuse, 0), cluster, started, time.monotonic() - begun), []

    clock = Clock()
    left = api.remove(settings.remove_seconds)
    if left:
        raise TimeoutError(f"namespaces of an earlier run are still there after removal: {'; '.join(left)}")
    try:
        todo, verdicts, cluster = _probe(api, settings, clock)
        drawn = api.topology(mesh_namespace(settings.namespace)) if api.mesh_revision else {}
        time.sleep(settings.linger_seconds)
        clock.lap("draw")
    finally:
        left = _remove(api, settings)
        clock.lap("remove")
    state = fingerprint.state(api.everything())
    report = conclude(todo, verdicts, cluster, started, time.monotonic() - begun)
    return report | {"topology": drawn, "phases": clock.laps, "state": state}, left


def _remove(api: VerificationCluster, settings: Settings) -> list[str]:
    """Why namespaces could not be removed, as lines; none where nobody waits for them."""
    if settings.wait_removed:
        return api.remove(settings.remove_seconds)
    api.start_removal()
    return []


class Clock:
    """Where the time of a verification goes: seconds by phase."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        """What went by since the last call was this phase."""
        now = time.monotonic()
        self.laps[phase] = round(self.laps.get(phase, 0.0) + now - self._last, 1)
        self._last = now


def _refuse(runner: str, text: str) -> str:
    raise OSError(f"{runner}: nothing runs in check mode")


def _probe(api: VerificationCluster, settings: Settings, clock: Clock) -> tuple[Plan, dict[str, Verdict], Cluster]:
    run = secrets.token_hex(8)
    problems = api.create(settings.namespace, settings.image, settings.host_port, run)
    clock.lap("create")
    cluster = wait_for_agents(
        lambda: observe(api.observe(settings.namespace, settings.name, problems)),
        settings.namespace,
        settings.start_seconds,
        lambda: api.agents_run(settings.namespace),
    )
    clock.lap("start")
    agents = cluster.agents
    with ExitStack() as stack:
        outside: Outside | None = None
        prefix = settings.outside_prefix
        if prefix is not None:
            outside = stack.enter_context(listening(prefix, settings.outside_addresses))

        def execute(runner: str, text: str) -> str:
            if runner == OUTSIDE:
                return run_outside(prefix or (), text, BATCH_SECONDS)
            if runner.startswith(f"{TENANT}/"):
                _, space, pod, container = runner.split("/")
                return api.sockets((space, pod, container), BATCH_SECONDS)
            agent = agents[runner]
            return api.run(agent.namespace or settings.namespace, agent.name, text, BATCH_SECONDS)

        def look() -> Cluster:
            return observe(api.observe(settings.namespace, settings.name, problems))

        def planned(cluster: Cluster) -> Plan:
            return plan(cluster, settings.namespace, settings.host_port, settings.proxy_mode, outside, run)

        todo = planned(cluster)
        verdicts = probe_all(todo, execute, settings.settle_seconds, lambda: planned(look()))
        clock.lap("probe")
        return todo, verdicts, cluster


def wait_for_agents(
    look: Callable[[], Cluster], namespace: str, seconds: float, hint: Callable[[], bool] = lambda: True
) -> Cluster:
    """The cluster as soon as every agent on a ready node runs and is an endpoint, or as it is when time is up.

    hint: cheap; while it says no, there is a look only now and then, because looking takes the API server from those
    that start the agents.
    """
    seen: list[Cluster] = []
    next_look = time.monotonic() + LOOK_SECONDS

    def running() -> bool:
        nonlocal next_look
        if not hint() and time.monotonic() < next_look:
            return False
        next_look = time.monotonic() + LOOK_SECONDS
        seen[:] = [look()]
        ready = {node.name for node in seen[0].nodes if node.ready}
        return all(agent.running for agent in seen[0].agents.values() if agent.node in ready)

    def reachable() -> bool:
        seen[:] = [look()]
        return endpoints_complete(seen[0], namespace)

    wait_until(running, seconds)
    seen = seen or [look()]
    if not endpoints_complete(seen[0], namespace):
        wait_until(reachable, ENDPOINTS_SECONDS)
    return seen[0]


def endpoints_complete(cluster: Cluster, namespace: str) -> bool:
    """Whether the verification's Services know every running pod behind them in each of their families.

    Its gateway is one pod more, which gets its configuration late: whoever is there before it is refused.
    """
    pods = [agent for agent in cluster.agents.values() if agent.kind == POD and agent.running]
    gateway = cluster.services.get(f"{mesh_namespace(namespace)}/{GATEWAY}")
    if gateway and not all(gateway.servers.get((family, "TCP", SERVICE_PORT)) for family in gateway.addresses):
        return False
    for service in cluster.services.values():
        if service.namespace != namespace or service.problem:
            continue
        for family in service.addresses:
            wanted = {agent.name for agent in pods if family in agent.addresses}
            found = [servers for (kind, _, _), servers in service.servers.items() if kind == family]
            if len(frozenset().union(*found)) < len(wanted):
                return False
    return True


def probe_all(
    todo: Plan, execute: Execute, settle_seconds: float, again: Callable[[], Plan] | None = None
) -> dict[str, Verdict]:
    """A verdict for every probe, one turn of groups after the other, then failures again until time is up.

    execute: runs a batch at a runner and returns the shell's output; raises OSError when it cannot.
    again: the plan from what the API says by now, because a cluster that settles changes what is to be expected.
    """
    verdicts: dict[str, Verdict] = {}
    for turn in Turn:
        verdicts |= probe_once([probe for probe in todo.probes if BY_ID[probe.group].turn is turn], execute)
    end = time.monotonic() + settle_seconds
    while time.monotonic() < end:
        failed = {name for name, verdict in verdicts.items() if not verdict.ok and not verdict.skip}
        if not failed:
            break
        time.sleep(AGAIN_SECONDS)
        try:
            current = again() if again else todo
        except API_ERRORS:  # the way to the API may be what settles
            current = todo
        there = {probe.id for probe in current.probes}
        for name in failed - there:
            if gone := BY_ID[name.partition("/")[0]].gone:
                verdicts[name] = Verdict(False, gone, skip=True)
        # Telemetry shows requests only while there are some.
        resend = any(BY_ID[probe.group].turn is Turn.TELEMETRY for probe in current.probes if probe.id in failed)
        again_probes = [
            probe for probe in current.probes if probe.id in failed or (resend and BY_ID[probe.group].traffic)
        ]
        verdicts |= probe_once(again_probes, execute)
    return verdicts


def probe_once(probes: Iterable[Probe], execute: Execute) -> dict[str, Verdict]:
    """One batch per runner, all runners at the same time; what the API has shown needs no runner."""
    batches: dict[str, list[Probe]] = {}
    verdicts: dict[str, Verdict] = {}
    for probe in probes:
        if isinstance(probe.action, Known):
            verdicts[probe.id] = known(probe.action)
        else:
            batches.setdefault(probe.runner, []).append(probe)
    if not batches:
        return verdicts
    with ThreadPoolExecutor(max_workers=min(MOST_SHELLS, len(batches))) as pool:
        for part in pool.map(lambda item: _run_batch(item[0], item[1], execute), batches.items()):
            verdicts.update(part)
    return verdicts


def _run_batch(runner: str, probes: list[Probe], execute: Execute) -> dict[str, Verdict]:
    actions = {number: probe.action for number, probe in enumerate(probes)}
    try:
        output = parse_output(execute(runner, batch(actions)))
    except (OSError, ValueError) as error:
        return {probe.id: Verdict(False, f"could not run in {runner}: {error}") for probe in probes}
    return {probe.id: judge(number, probe.action, output) for number, probe in enumerate(probes)}
