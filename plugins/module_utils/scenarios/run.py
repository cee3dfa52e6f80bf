"""Scenarios from beginning to end: bring what they need, wait until everything answers, ask once, judge, remove."""

from __future__ import annotations

import inspect
import itertools
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from ansible_collections.twinstack.core.plugins.module_utils.contract import JAEGER, KIALI, OBSERVABILITY, PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, bracketed
from ansible_collections.twinstack.core.plugins.module_utils.kube.apply import remove_namespace, wait_all
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client, RefusedError
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, key_of
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio, http_probe, telemetry
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.model import (
    OUTSIDE,
    Ask,
    Load,
    Result,
    Tenant,
    asks,
    heading,
    judge,
    judge_load,
    parse_access_log,
    request,
)
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_id
from ansible_collections.twinstack.core.plugins.module_utils.verify.cluster import API_ERRORS, Api
from ansible_collections.twinstack.core.plugins.module_utils.verify.outside import listening

BATCH_SECONDS = 120.0
COUNT_SECONDS = 20.0  # as long as Prometheus may take to come back before the first request
SEEN_SECONDS = 40.0  # Prometheus looks every few seconds, proxies send spans every five
POLL_SECONDS = 1.0
REMOVAL_SECONDS = 60.0
BOTH = "both"
# What a page of Prometheus, Jaeger or Kiali raises when it is not one, or not what is expected.
NO_ANSWER = (*API_ERRORS, ValueError, KeyError, TypeError, IndexError)

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the module was asked for.

    nodes: ``IPv4`` and ``IPv6`` of each; prefix: before every command that runs outside; external: port, ipv4 and ipv6
    of a server outside the cluster, empty = none; ready_seconds: how long pods may take until they are ready,
    settle_seconds: how long everything may then take until it answers.
    """

    kubeconfig: str
    tenants: Mapping[str, Tenant]
    nodes: Sequence[Mapping[str, str]]
    demo_image: str
    fortio_image: str
    prefix: tuple[str, ...]
    external: Json
    ready_seconds: float
    settle_seconds: float


class ScenarioError(Exception):
    """Scenarios could not be run at all; the text says why."""


def run_all(scenarios: Sequence[Json], wanted: Sequence[str], settings: Settings) -> tuple[list[Json], Json]:
    """Results of the wanted scenarios and of those that they need, and the topology that was seen."""
    needed = {name for item in scenarios if item["id"] in wanted for name in (item["id"], *item.get("needs", []))}
    chosen = [item for item in scenarios if item["id"] in needed]
    engine = Engine(settings, scenarios)
    order = seen_last(chosen)
    users = needing_own(chosen)
    engine.clean()
    try:
        if users:
            engine.bring()
        engine.wait_until_ready(chosen)
        if any(item.get("kind") == "seen" for item in chosen):
            engine.count()
        results: dict[str, list[Json]] = {}
        for name, item in order.items():
            if name in users:
                engine.wait_for_own()
            begun = time.monotonic()
            found = engine.run(item)
            for result in found:
                result.seconds = result.seconds or time.monotonic() - begun
            results[name] = [result.as_dict() for result in found]
            if users == {name}:
                engine.start_removal()
            users.discard(name)
        in_order = [result for item in chosen for result in results[str(item["id"])]]
        return in_order, engine.api.topology()
    finally:
        engine.clean()


def seen_last(chosen: Sequence[Json]) -> dict[str, Json]:
    """Scenarios by id in the order in which they run: what others have seen of all the rest is asked last."""
    return {str(item["id"]): item for item in sorted(chosen, key=lambda item: item.get("kind") == "seen")}


def needing_own(chosen: Sequence[Json]) -> set[str]:
    """Ids of scenarios that need what scenarios bring with them, or send again what one of those sends."""
    users = {
        str(item["id"])
        for item in chosen
        if item.get("kind") == "load" or scenario_objects.NAMESPACE in json.dumps(item.get("requests", []))
    }
    again = {str(item["id"]) for item in chosen if item.get("kind") == "seen" and str(item.get("traced")) in users}
    return users | again


class Engine:
    """Talks to the cluster and to the world outside it."""

    def __init__(self, settings: Settings, scenarios: Sequence[Json]) -> None:
        self.settings = settings
        self.api = Api(settings.kubeconfig, None)
        self.api.find_mesh()
        self.client = Client(settings.kubeconfig, None, "twinstack-demo")
        self.run_name = secrets.token_hex(8)
        self.known = {str(item["id"]): item for item in scenarios}
        # Requests that went through a tenant's gateway, by tenant and family.
        self.sent: dict[tuple[str, str], int] = {}
        self.counted: dict[tuple[str, str], telemetry.Counts] = {}
        self._pods: dict[tuple[str, str], str] = {}

    # --- what is brought and taken away -----------------------------------------------------------------------

    def bring(self) -> None:
        """The namespace with what is outside the mesh. It starts beside the first scenarios."""
        for item in self._brought():
            self.client.apply(item, key_of(item), dry_run=False, force=True)

    def _brought(self) -> list[scenario_objects.Object]:
        return scenario_objects.objects(self.settings.demo_image, self.settings.fortio_image)

    def wait_for_own(self) -> None:
        """Until what scenarios bring is ready."""
        pods = [(key, "Ready") for key in self._pod_keys()]
        late = wait_all(self.client, pods, time.monotonic() + self.settings.ready_seconds)
        if late:
            raise ScenarioError("; ".join(late))

    def start_removal(self) -> None:
        """Begin to remove it, once no scenario needs it any more.

        The namespace first: its controller pauses before it looks, and finds an empty one if the pods go meanwhile.
        """
        for key in (Key("v1", "Namespace", "", scenario_objects.NAMESPACE), *self._pod_keys()):
            with suppress(RefusedError):  # it is on its way already
                self.client.delete(key, dry_run=False)

    def _pod_keys(self) -> list[Key]:
        return [key_of(item) for item in self._brought() if item["kind"] == "Pod"]

    def clean(self) -> None:
        """Remove what this run, or one that was cut off, has left."""
        for tenant in self.settings.tenants:
            self._unbreak(tenant)
        space = scenario_objects.NAMESPACE
        if not remove_namespace(self.client, space, REMOVAL_SECONDS):
            raise ScenarioError(f"namespace {space} is still there after {REMOVAL_SECONDS:.0f} s")

    def _unbreak(self, tenant: str) -> None:
        item = scenario_objects.broken_route(tenant)
        with suppress(RefusedError):
            self.client.delete(key_of(item), dry_run=False)

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
            Ask("", family, name, OUTSIDE, service, f"http://{self._host(name, target)}{path}", connect=target)
            for name, service in sorted(paths)
            for node in self.settings.nodes
            for family in FAMILIES
            for target in [f"{bracketed(node[family])}:{self.settings.tenants[name].http_port}"]
            for path in [self.settings.tenants[name].paths[service]]
        ]
        end = time.monotonic() + self.settings.settle_seconds
        while todo:
            answers = self.outside([request(number, item) for number, item in enumerate(todo)])
            late = [item for item, answer in zip(todo, answers, strict=False) if answer["status"] not in (200, 429)]
            if late and time.monotonic() > end:
                return  # the scenarios tell what is wrong, and where
            todo = late
            time.sleep(POLL_SECONDS if late else 0)

    def _host(self, tenant: str, target: str) -> str:
        return self.settings.tenants[tenant].host or target

    # --- asking -----------------------------------------------------------------------------------------------

    def outside(self, requests: Sequence[Json]) -> list[Json]:
        """Answers to requests from outside the cluster."""
        command, text = (
            [*self.settings.prefix, sys.executable, "-c", inspect.getsource(http_probe)],
            json.dumps(requests) + "\n",
        )
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                timeout=BATCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ScenarioError(f"outside: no answers within {BATCH_SECONDS:.0f} s") from None
        if done.returncode:
            raise ScenarioError(f"outside: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
        return list(json.loads(done.stdout))

    def inside(self, tenant: str, service: str, requests: Sequence[Json]) -> list[Json]:
        """Answers to requests from a pod of a tenant's service, whose image must have a Python."""
        pod = self._pod(tenant, service)
        try:
            output = self.api.execute(
                (tenant, pod, service),
                ["python3", "-c", inspect.getsource(http_probe)],
                json.dumps(requests) + "\n",
                BATCH_SECONDS,
                lambda said: said.endswith("]"),
            )
            return list(json.loads(output))
        except (OSError, ValueError) as error:
            return [{"id": one["id"], "status": 0, "text": "", "error": f"in {pod}: {error}"} for one in requests]

    def _pod(self, tenant: str, service: str) -> str:
        if (tenant, service) not in self._pods:
            pods = self.client.list("v1", "Pod", f"app={service}")
            running = sorted(
                item["metadata"]["name"]
                for item in pods
                if item["metadata"]["namespace"] == tenant
                and item["status"].get("phase") == "Running"
                and not item["metadata"].get("deletionTimestamp")
            )
            if not running:
                raise ScenarioError(
                    f"{tenant}/{service}: found no running pod, expected one. Try: kubectl -n {tenant} get pods"
                )
            self._pods[tenant, service] = running[0]
        return self._pods[tenant, service]

    def answers(self, items: Sequence[Ask]) -> list[list[Json]]:
        """Answers to all requests, repeats together, one batch for each place, and all places at once."""
        numbered = [(number, item) for number, item in enumerate(items) for _ in range(item.repeat)]
        found: dict[int, list[Json]] = {number: [] for number in range(len(items))}
        places = sorted({(item.tenant, item.place) for item in items})

        def asked(where: tuple[str, str]) -> list[Json]:
            batch = [request(n, item) for n, item in numbered if (item.tenant, item.place) == where]
            return self.outside(batch) if where[1] == OUTSIDE else self.inside(*where, batch)

        with ThreadPoolExecutor(max(len(places), 1)) as pool:
            for got in pool.map(asked, places):
                for answer in got:
                    found[int(answer["id"])].append(answer)
        for item in items:
            if item.place == OUTSIDE:
                key = item.tenant, item.family
                self.sent[key] = self.sent.get(key, 0) + item.repeat
        return [found[number] for number in range(len(items))]

    # --- the kinds --------------------------------------------------------------------------------------------

    def run(self, scenario: Json) -> list[Result]:
        """One scenario: a result for each family, and one for both where families are judged together."""
        kind = scenario.get("kind", "requests")
        if kind == "load":
            return self._load(scenario)
        if kind == "seen":
            return self._seen(scenario)
        return self._requests(scenario)

    def _requests(self, scenario: Json) -> list[Result]:
        title = heading(scenario, self.settings.external)
        results = {family: Result(str(scenario["id"]), family, title) for family in FAMILIES}
        with self._broken(scenario), self._listener(scenario):
            items = list(
                asks(scenario, self.settings.tenants, self.settings.nodes, self.run_name, self.settings.external)
            )
            for item, answers in zip(items, self.answers(items), strict=False):
                ok, detail, seen = judge(item, answers)
                good = item.repeat if ok else 0
                times = [answer.get("milliseconds", 0.0) for answer in answers]
                results[item.family].add(
                    item.title, ok, detail, item.repeat, good, tenant=item.tenant, place=item.place, hops=seen,
                    milliseconds=max(times, default=0.0),
                )  # fmt: skip
        asked = [result for result in results.values() if result.steps]
        if not asked:
            for result in results.values():
                result.add("requests", False, "nothing was asked; expected a request in one family at least", 0)
        return asked or list(results.values())

    @contextmanager
    def _broken(self, scenario: Json) -> Iterator[None]:
        """A broken route in one tenant for as long as the requests last, once its gateway answers by it."""
        tenant = str(scenario.get("broken_route", ""))
        if not tenant:
            yield
            return
        item = scenario_objects.broken_route(tenant)
        self.client.apply(item, key_of(item), dry_run=False, force=True)
        try:
            node, port = self.settings.nodes[0], self.settings.tenants[tenant].http_port
            targets = [(family, f"{bracketed(node[family])}:{port}") for family in FAMILIES]
            asked = [
                {"id": 0, "url": f"http://{self._host(tenant, target)}{scenario_objects.BROKEN_PATH}", "family": family}
                | {"connect": target}
                for family, target in targets
            ]
            end = time.monotonic() + self.settings.settle_seconds
            while any(answer["status"] < 500 for answer in self.outside(asked)):
                if time.monotonic() > end:
                    raise ScenarioError(
                        f"{scenario['id']}: {tenant}'s gateway does not answer by its broken route after "
                        f"{self.settings.settle_seconds:.0f} s, so nothing can be told. "
                        f"Try: kubectl -n {tenant} get virtualservices.networking.istio.io"
                    )
                time.sleep(POLL_SECONDS)
            yield
        finally:
            self._unbreak(tenant)

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

    def _load(self, scenario: Json) -> list[Result]:
        """Load on all limits over both families, all at the same time."""
        begun = time.monotonic()
        results = {family: Result(str(scenario["id"]), family, str(scenario["title"])) for family in (*FAMILIES, BOTH)}
        pairs = list(itertools.product(scenario["loads"], FAMILIES))
        with ThreadPoolExecutor(max(len(pairs), 1)) as pool:
            met = list(pool.map(lambda pair: self._fortio(*pair), pairs))
        for (one, family), load in zip(pairs, met, strict=False):
            key = str(one["tenant"]), family
            self.sent[key] = self.sent.get(key, 0) + load.total
        for place, one in enumerate(scenario["loads"]):
            seconds, limit = int(one["seconds"]), int(one["limit"])
            buckets = self._replicas(str(one["tenant"]), str(one["enforced_by"]))
            loads = dict(zip(FAMILIES, met[place * len(FAMILIES) :], strict=False))
            ok, detail = judge_load(loads, limit, seconds, buckets)
            where = f"{one['service']}, limited at the {one['at']}"
            series = {
                family: {"accepted": dict(load.accepted), "refused": dict(load.refused)}
                for family, load in loads.items()
            }
            picture = {"limit": limit, "buckets": buckets, "seconds": seconds, "series": series}
            results[BOTH].add(where, ok, detail, sum(load.total for load in loads.values()), load=picture)
            for family, load in loads.items():
                accepted, refused = sum(load.accepted.values()), sum(load.refused.values())
                fine = accepted > 0 and refused > 0 and not load.others
                told = f"{accepted} accepted, {refused} refused with 429, {sum(load.others.values())} others"
                results[family].add(where, fine, f"{told}; expected some of the first two, none other", load.total)
        for result in results.values():
            result.seconds = time.monotonic() - begun
        return list(results.values())

    def _replicas(self, tenant: str, deployment: str) -> int:
        found = self.client.get(Key("apps/v1", "Deployment", tenant, deployment))
        if found is None:
            raise ScenarioError(
                f"{tenant}/{deployment}: found no such Deployment, expected the one that enforces a limit"
            )
        return int(found["spec"]["replicas"])

    def _fortio(self, one: Json, family: str) -> Load:
        qps, seconds = int(one["qps"]), int(one["seconds"])
        tenant = self.settings.tenants[str(one["tenant"])]
        target = f"{bracketed(self.settings.nodes[0][family])}:{tenant.http_port}"
        command = [
            "fortio",
            "load",
            "-quiet",
            "-qps",
            str(qps),
            "-c",
            "4",
            "-t",
            f"{seconds}s",
            "-nocatchup",
            "-uniform",
        ]
        command += ["-allow-initial-errors", "-access-log-file", "/dev/stdout", "-access-log-format", "json"]
        command += ["-H", f"Host: {tenant.host}"] if tenant.host else []
        command += [f"http://{target}{tenant.paths[str(one['service'])]}"]
        where = scenario_objects.NAMESPACE, fortio.POD, fortio.POD
        output = self.api.execute(where, command, "", seconds + BATCH_SECONDS)
        return parse_access_log(output)

    # --- what was seen ----------------------------------------------------------------------------------------

    def counts(self, tenant: str, family: str) -> telemetry.Counts:
        """How far Prometheus has counted the requests through a tenant's gateway."""
        query = quote(telemetry.requests_query(tenant, family), safe="")
        return telemetry.counts(self.page(PROMETHEUS, f"/api/v1/query?query={query}"))

    def page(self, service: tuple[str, int], path: str) -> Any:
        """A page of Prometheus, Jaeger or Kiali."""
        return json.loads(self.api.page(OBSERVABILITY, service[0], service[1], path))

    def count(self) -> None:
        """What Prometheus has counted before. What it does not answer in time is left out, and S6 says so."""
        end = time.monotonic() + COUNT_SECONDS
        for pair in itertools.product(self.settings.tenants, FAMILIES):
            while pair not in self.counted and time.monotonic() < end:
                try:
                    self.counted[pair] = self.counts(*pair)
                except NO_ANSWER:
                    time.sleep(POLL_SECONDS)

    def _seen(self, scenario: Json) -> list[Result]:
        tenant = str(scenario["tenant"])
        results = [self._seen_family(scenario, tenant, family) for family in FAMILIES]
        both, begun = Result(str(scenario["id"]), BOTH, str(scenario["title"])), time.monotonic()
        self._until(
            both,
            f"Kiali's graph of {tenant} has the edges and versions",
            lambda: self._graph(scenario, tenant),
        )
        both.seconds = time.monotonic() - begun
        return [*results, both]

    def _seen_family(self, scenario: Json, tenant: str, family: str) -> Result:
        begun = time.monotonic()
        result = Result(str(scenario["id"]), family, str(scenario["title"]))
        spans: list[dict[str, Any]] = []
        trace = trace_id(self.run_name, family, str(scenario["traced"]))

        def counted(owner: str) -> tuple[bool, str]:
            if (owner, family) not in self.counted:
                return False, "found no answer of Prometheus before the first request, expected a count to start from"
            found = telemetry.risen(self.counted[owner, family], self.counts(owner, family))
            return telemetry.judge_count(found, self.sent.get((owner, family), 0))

        def traced() -> tuple[bool, str]:
            spans[:] = telemetry.spans(self.page(JAEGER, f"/api/traces/{trace}"))
            return telemetry.judge_trace(spans, scenario["chain"])

        for owner in sorted({tenant, *(owner for owner, other in self.sent if other == family)}):
            title = f"Prometheus counted the requests through {owner}'s gateway"
            self._until(result, title, partial(counted, owner))
        self._until(result, f"Jaeger has the trace of {' → '.join(scenario['chain'])}", traced)
        result.more |= {"trace": spans} if spans else {}
        result.seconds = time.monotonic() - begun
        return result

    def _graph(self, scenario: Json, tenant: str) -> tuple[bool, str]:
        """A look at the graph; if it lacks something, more of the traffic that it is to show.

        Kiali shows rates, and a counter that Prometheus meets for the first time has none, whatever its value.
        """
        ok, detail = telemetry.judge_graph(self.page(KIALI, telemetry.graph_path(tenant)), scenario["edges"])
        if not ok:
            known = self.settings
            traffic = self.known[str(scenario["traced"])]
            self.answers(list(asks(traffic, known.tenants, known.nodes, secrets.token_hex(8), known.external)))
        return ok, detail

    def _until(self, result: Result, title: str, check: Callable[[], tuple[bool, str]]) -> None:
        """A step whose answer comes some seconds late, because it is collected at intervals."""
        end = time.monotonic() + SEEN_SECONDS
        while True:
            try:
                ok, detail = check()
            except (*NO_ANSWER, ScenarioError) as error:
                ok, detail = False, f"no answer: {error}"
            if ok or time.monotonic() > end:
                result.add(title, ok, detail)
                return
            time.sleep(POLL_SECONDS)
