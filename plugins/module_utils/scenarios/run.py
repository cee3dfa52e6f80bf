"""Scenarios from beginning to end: create fixtures, wait until all answers, send requests once, judge, remove."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, bracketed
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.fixtures import Fixtures
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.load import LoadScenarios
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.model import (
    OUTSIDE,
    RequestSpec,
    Result,
    heading,
    judge,
    request,
    request_specs,
)
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import (
    POLL_SECONDS,
    Json,
    ScenarioError,
    Settings,
)
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.telemetry_checks import TelemetryScenarios
from ansible_collections.twinstack.core.plugins.module_utils.verify.cluster import VerificationCluster
from ansible_collections.twinstack.core.plugins.module_utils.verify.outside import listening


def run_all(engine: Engine, scenarios: Sequence[Json], wanted: Sequence[str]) -> tuple[list[Json], Json]:
    """Results of the wanted scenarios and of those that they need, and the observed topology."""
    needed = {name for item in scenarios if item["id"] in wanted for name in (item["id"], *item.get("needs", []))}
    chosen = [item for item in scenarios if item["id"] in needed]
    order = telemetry_last(chosen)
    users = needing_fixtures(chosen)
    engine.fixtures.clean()
    try:
        if users:
            engine.fixtures.create()
        engine.wait_until_ready(chosen)
        if any(item.get("kind") == "telemetry" for item in chosen):
            engine.telemetry.count()
        results: dict[str, list[Json]] = {}
        for name, item in order.items():
            if name in users:
                engine.fixtures.wait()
            begun = time.monotonic()
            found = engine.run(item)
            for result in found:
                result.seconds = result.seconds or time.monotonic() - begun
            results[name] = [result.as_dict() for result in found]
            if users == {name}:
                engine.fixtures.start_removal()
            users.discard(name)
        in_order = [result for item in chosen for result in results[str(item["id"])]]
        return in_order, engine.cluster.topology()
    finally:
        engine.fixtures.clean()


def telemetry_last(chosen: Sequence[Json]) -> dict[str, Json]:
    """Scenarios by id in the order in which they run: telemetry about the others comes last."""
    return {str(item["id"]): item for item in sorted(chosen, key=lambda item: item.get("kind") == "telemetry")}


def needing_fixtures(chosen: Sequence[Json]) -> set[str]:
    """Ids of scenarios that need the fixtures, or send again what one of those sends."""
    users = {
        str(item["id"])
        for item in chosen
        if item.get("kind") == "load" or scenario_objects.NAMESPACE in json.dumps(item.get("requests", []))
    }
    again = {str(item["id"]) for item in chosen if item.get("kind") == "telemetry" and str(item.get("traced")) in users}
    return users | again


class Engine:
    """Runs scenarios of every kind.

    client: for what scenarios create and request, which have timeouts of their own; reader: for what is read, tried
    again when a connection breaks.
    """

    def __init__(self, settings: Settings, scenarios: Sequence[Json], client: Client, reader: Client) -> None:
        self.settings = settings
        self.cluster = VerificationCluster(reader)
        self.cluster.find_mesh()
        self.run_name = secrets.token_hex(8)
        known = {str(item["id"]): item for item in scenarios}
        self.fixtures = Fixtures(settings, client)
        self.sender = RequestSender(settings, client)
        self.load = LoadScenarios(settings, client, self.sender)
        self.telemetry = TelemetryScenarios(settings, reader, self.sender, known, self.run_name)

    def wait_until_ready(self, scenarios: Sequence[Json]) -> None:
        """Until every path through a gateway is answered over both families on every node; only then is it counted.

        A release or a limit that was applied a moment ago reaches its proxies some seconds later.
        """
        paths = {
            (str(one["tenant"]), str(one["service"]))
            for item in scenarios
            for one in (*item.get("requests", []), *item.get("loads", []))
            if one.get("from", OUTSIDE) == OUTSIDE and one.get("service")
        }
        todo = [
            RequestSpec(
                "", family, name, OUTSIDE, service, f"http://{self.sender.host(name, target)}{path}", connect=target
            )
            for name, service in sorted(paths)
            for node in self.settings.nodes
            for family in FAMILIES
            for target in [f"{bracketed(node[family])}:{self.settings.tenants[name].http_port}"]
            for path in [self.settings.tenants[name].paths[service]]
        ]
        end = time.monotonic() + self.settings.settle_seconds
        while todo:
            answers = self.sender.outside([request(number, item) for number, item in enumerate(todo)])
            late = [item for item, answer in zip(todo, answers, strict=False) if answer["status"] not in (200, 429)]
            if late and time.monotonic() > end:
                return  # the scenarios report what is wrong, and where
            todo = late
            time.sleep(POLL_SECONDS if late else 0)

    def run(self, scenario: Json) -> list[Result]:
        """One scenario: a result for each family, and one for both where families are judged together."""
        kind = scenario.get("kind", "requests")
        if kind == "load":
            return self.load.run(scenario)
        if kind == "telemetry":
            return self.telemetry.run(scenario)
        return self._requests(scenario)

    def _requests(self, scenario: Json) -> list[Result]:
        title = heading(scenario, self.settings.external)
        results = {family: Result(str(scenario["id"]), family, title) for family in FAMILIES}
        with self._broken(scenario), self._listener(scenario):
            items = list(
                request_specs(
                    scenario, self.settings.tenants, self.settings.nodes, self.run_name, self.settings.external
                )
            )
            for item, answers in zip(items, self.sender.answers(items), strict=False):
                ok, detail, answered = judge(item, answers)
                good = item.repeat if ok else 0
                times = [answer.get("milliseconds", 0.0) for answer in answers]
                results[item.family].add(
                    item.title, ok, detail, item.repeat, good, tenant=item.tenant, place=item.place, hops=answered,
                    milliseconds=max(times, default=0.0),
                )  # fmt: skip
        sent = [result for result in results.values() if result.steps]
        if not sent:
            for result in results.values():
                result.add("requests", False, "no request was sent; expected one in one family at least", 0)
        return sent or list(results.values())

    @contextmanager
    def _broken(self, scenario: Json) -> Iterator[None]:
        """A broken route in one tenant for as long as the requests last, once its gateway answers by it."""
        tenant = str(scenario.get("broken_route", ""))
        if not tenant:
            yield
            return
        self.fixtures.break_route(tenant)
        try:
            node, port = self.settings.nodes[0], self.settings.tenants[tenant].http_port
            targets = {family: f"{bracketed(node[family])}:{port}" for family in FAMILIES}
            asked = [
                {"id": 0, "url": f"http://{self.sender.host(tenant, target)}{scenario_objects.BROKEN_PATH}"}
                | {"family": family, "connect": target}
                for family, target in targets.items()
            ]
            end = time.monotonic() + self.settings.settle_seconds
            while any(answer["status"] < 500 for answer in self.sender.outside(asked)):
                if time.monotonic() > end:
                    raise ScenarioError(
                        f"{scenario['id']}: {tenant}'s gateway does not answer by its broken route after "
                        f"{self.settings.settle_seconds:.0f} s, so nothing can be verified. "
                        f"Try: kubectl -n {tenant} get virtualservices.networking.istio.io"
                    )
                time.sleep(POLL_SECONDS)
            yield
        finally:
            self.fixtures.unbreak(tenant)

    @contextmanager
    def _listener(self, scenario: Json) -> Iterator[None]:
        """A server outside the cluster for as long as the requests last."""
        if not scenario.get("external") or not self.settings.external:
            yield
            return
        external = self.settings.external
        addresses = {family: str(external[family.lower()]) for family in FAMILIES}
        with listening(self.settings.prefix, addresses, int(external["port"])):
            yield
