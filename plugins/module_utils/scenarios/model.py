"""Scenarios as typed data: which requests are sent, over which family, and what must come back. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, bracketed
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_headers

OUTSIDE = "outside"
KINDS = ("requests", "load", "telemetry")
REFUSED = "refused"
# How far a measured share may be from the wanted one: 99.9 % of all samples are within (two-sided normal quantile).
CONFIDENCE = 3.29
REFUSED_SECONDS = 4.0

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Tenant:
    """What the scenarios need of a tenant.

    paths: by service, that of its first route; host: a name that its gateway answers for, or empty.
    """

    name: str
    http_port: int
    paths: Mapping[str, str]
    host: str = ""


@dataclass(frozen=True)
class RequestSpec:
    """One request. place: ``outside``, or a service of the tenant in whose pod it starts; hops: who must answer, as
    ``service version``, the called ones after their callers; empty = anybody with HTTP 200.

    shares: by version of the answering service, in percent, judged over all repeats. lacks: texts that must not be in
    the answer. refused: nobody may answer with 200.
    """

    scenario: str
    family: str
    tenant: str
    place: str
    title: str
    url: str
    connect: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    hops: tuple[str, ...] = ()
    refused: bool = False
    lacks: tuple[str, ...] = ()
    repeat: int = 1
    shares: tuple[tuple[str, int], ...] = ()


@dataclass
class Result:
    """How one scenario went in one family (or ``both``). sent and got: requests, and those answered as expected."""

    id: str
    family: str
    title: str
    ok: bool = True
    sent: int = 0
    got: int = 0
    seconds: float = 0.0
    steps: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def add(self, title: str, ok: bool, detail: str, sent: int = 1, got: int | None = None, **more: Any) -> None:
        """One step of it: title, what was expected and found; sent and got count requests."""
        self.sent += sent
        self.got += (sent if ok else 0) if got is None else got
        self.ok = self.ok and ok
        self.steps.append({"title": title, "ok": ok, "detail": detail, **more})

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as in report.json."""
        return {
            "id": self.id,
            "family": self.family,
            "title": self.title,
            "ok": self.ok,
            "sent": self.sent,
            "got": self.got,
            "seconds": round(self.seconds, 1),
            "steps": self.steps,
            **self.more,
        }


def parse_tenants(items: Sequence[Json]) -> dict[str, Tenant]:
    """Tenants by name, out of twinstack_tenants."""
    found = {}
    for item in items:
        paths: dict[str, str] = {}
        for one in item.get("routes", []):
            paths.setdefault(str(one["service"]), str(one.get("path", f"/{one['service']}")))
        named = [str(host) for host in item.get("hosts", ["*"]) if not str(host).startswith("*")]
        name = str(item["name"])
        found[name] = Tenant(name, int(item["http_port"]), paths, next(iter(named), ""))
    return found


@dataclass(frozen=True)
class Problem:
    """What is wrong with a scenario. scenario: its id."""

    scenario: str
    found: str
    expected: str

    def line(self) -> str:
        """As text."""
        return f"{self.scenario}: found {self.found}, expected {self.expected}"


def problems(scenarios: Sequence[Json], tenants: Mapping[str, Tenant], wanted: Sequence[str]) -> list[Problem]:
    """Everything that is wrong with the wanted scenarios, before anything is sent."""
    known = [str(item.get("id")) for item in scenarios]
    found = [Problem(name, "no such scenario", f"one of {', '.join(known)}") for name in wanted if name not in known]
    twice = [name for name in dict.fromkeys(known) if known.count(name) > 1]
    found += [Problem(name, f"{known.count(name)} scenarios of this id", "one") for name in twice]
    for item in scenarios:
        name = str(item.get("id"))
        if name not in wanted:
            continue
        if item.get("kind", KINDS[0]) not in KINDS:
            found.append(Problem(name, f"kind {item['kind']}", " or ".join(KINDS)))
        for one in (*item.get("requests", []), *item.get("loads", [])):
            owner, service = one.get("tenant"), one.get("service")
            tenant = tenants.get(str(owner))
            if tenant is None:
                expected = f"one of twinstack_tenants ({', '.join(tenants) or 'none'})"
                found.append(Problem(name, f"tenant {owner}", expected))
            elif one.get("from", OUTSIDE) == OUTSIDE and service not in tenant.paths:
                expected = f"one with a route in {owner} ({', '.join(tenant.paths) or 'none'})"
                found.append(Problem(name, f"service {service}", expected))
    return list(dict.fromkeys(found))


# --- requests ---------------------------------------------------------------------------------------------------------


def request_specs(
    scenario: Json, tenants: Mapping[str, Tenant], nodes: Sequence[Json], run: str, external: Json
) -> Iterator[RequestSpec]:
    """All requests of a scenario, each over the families that it is for, spread over the nodes.

    nodes: ``IPv4`` and ``IPv6`` of each; run: makes the traces of this run its own; external: port and addresses of the
    server outside the cluster, empty = requests to it are left out.
    """
    number = 0
    for order, one in enumerate(scenario.get("requests", [])):
        for family in one.get("families", FAMILIES):
            tenant = tenants[str(one["tenant"])]
            place = str(one.get("from", OUTSIDE))
            headers = {str(name): str(value) for name, value in (one.get("headers") or {}).items()}
            if scenario.get("traced"):
                # The trace that is looked for, and drawn, is that of the first request alone.
                name = f"{scenario['id']}-{order}" if order else str(scenario["id"])
                headers |= dict(line.split(": ", 1) for line in trace_headers(run, family, name))
            if one.get("external") and not external:
                continue
            url, connect = _where(one, tenant, family, place, nodes[number % len(nodes)][family])
            if one.get("external"):
                connect = f"{bracketed(str(external[family.lower()]))}:{external['port']}"
            answer = one.get("answer", [])
            number += 1
            yield RequestSpec(
                scenario=str(scenario["id"]),
                family=family,
                tenant=tenant.name,
                place=place,
                title=_title(one, place),
                url=url,
                connect=connect,
                headers=tuple(sorted(headers.items())),
                hops=() if answer == REFUSED else tuple(str(hop) for hop in answer),
                refused=answer == REFUSED,
                lacks=tuple(str(text) for text in one.get("lacks", [])),
                repeat=int(one.get("repeat", 1)),
                shares=tuple((str(key), int(value)) for key, value in (one.get("shares") or {}).items()),
            )


def heading(scenario: Json, external: Json) -> str:
    """A scenario's title, with the requests that this inventory leaves out."""
    left = (
        []
        if external
        else [_title(one, str(one.get("from", OUTSIDE))) for one in scenario.get("requests", []) if one.get("external")]
    )
    told = f" (left out, because scenarios_external is empty: {', '.join(left)})" if left else ""
    return f"{scenario['title']}{told}"


def _where(one: Json, tenant: Tenant, family: str, place: str, address: str) -> tuple[str, str]:
    """URL, and where to connect to when that is not the URL's host."""
    if "url" in one:
        return str(one["url"]), ""
    service = str(one["service"])
    tail = ""
    if one.get("call"):
        tail = f"call?to=http://{one['call']}/&family={family}"
    if place != OUTSIDE:
        return f"http://{service}/{tail}", ""
    path = str(one.get("path", tenant.paths[service])).rstrip("/") + (f"/{tail}" if tail else "")
    target = f"{bracketed(address)}:{tenant.http_port}"
    return f"http://{tenant.host or target}{path or '/'}", target


def _title(one: Json, place: str) -> str:
    """A request in words."""
    if one.get("title"):
        return str(one["title"])
    asked = str(one.get("service", one.get("url"))) + (f" by {one['path']}" if one.get("path") else "")
    chain = " → ".join([place, *(["gateway"] if place == OUTSIDE else []), asked])
    chain += f" → {one['call']}" if one.get("call") else ""
    told = ", ".join(f"{name}: {value}" for name, value in (one.get("headers") or {}).items())
    return f"{chain}{f' with {told}' if told else ''}"


def request(number: int, item: RequestSpec) -> dict[str, Any]:
    """The request as http_probe.py reads it."""
    # A proxy's own pages are on one of its pod's loopback addresses, that of the cluster's first family.
    family = "" if item.url.startswith("http://localhost") else item.family
    found: dict[str, Any] = {"id": number, "url": item.url, "family": family, "headers": dict(item.headers)}
    if item.connect:
        found["connect"] = item.connect
    if item.refused:
        found["timeout"] = REFUSED_SECONDS
    if item.lacks:
        found["find"] = list(item.lacks)
    return found


def hops(text: str) -> list[dict[str, Any]]:
    """Who answered, the called ones after their callers; empty when the text is no answer of the demo service."""
    found = []
    try:
        here = json.loads(text)
        while isinstance(here, dict) and "service" in here:
            found.append({"who": f"{here['service']} {here['version']}", "pod": here["pod"], "caller": here["caller"]})
            here = here.get("called")
    except (ValueError, KeyError, TypeError):
        return []
    return found


def judge(item: RequestSpec, answers: Sequence[Json]) -> tuple[bool, str, list[dict[str, Any]]]:
    """Whether the answers to a request are as expected, what was found, and the hops of the first one."""
    first = answers[0]
    answered = hops(first["text"])
    if item.refused:
        served = [answer for answer in answers if answer["status"] == 200]
        told = f"HTTP {first['status']}" if first["status"] else str(first["error"])
        # A pod that is gone or a name that nobody knows is no refusal.
        tried = all(answer["status"] or answer.get("tried") for answer in answers)
        return (
            tried and not served,
            f"{told}; expected {'to be refused' if tried else 'a try, and to be refused'}",
            answered,
        )
    bad = [answer for answer in answers if answer["status"] != 200]
    if bad:
        told = f"HTTP {bad[0]['status']} {bad[0]['text'][:80]}" if bad[0]["status"] else str(bad[0]["error"])
        return False, f"{len(bad)} of {len(answers)} failed: {told.strip()}; expected HTTP 200", answered
    there = [text for answer in answers for text, found in (answer.get("found") or {}).items() if found]
    if there:
        return False, f"{there[0]} is in the answer; expected nothing of it", answered
    if item.shares:
        return (*_judge_shares(item, answers), answered)
    wrong = [
        answer for answer in answers if item.hops and [hop["who"] for hop in hops(answer["text"])] != list(item.hops)
    ]
    if wrong:
        who = " → ".join(hop["who"] for hop in hops(wrong[0]["text"])) or wrong[0]["text"][:80]
        return False, f"{who} answered; expected {' → '.join(item.hops)}", answered
    return True, " → ".join(hop["who"] for hop in answered) or "HTTP 200", answered


def _judge_shares(item: RequestSpec, answers: Sequence[Json]) -> tuple[bool, str]:
    """Whether each version's share is within what chance explains."""
    versions = [found[0]["who"].rpartition(" ")[2] for answer in answers if (found := hops(answer["text"]))]
    total, told, fine = len(answers), [], len(versions) == len(answers)
    for version, percent in item.shares:
        wanted, measured = percent / 100, versions.count(version) / total
        slack = CONFIDENCE * math.sqrt(wanted * (1 - wanted) / total)
        fine = fine and abs(measured - wanted) <= slack
        told.append(f"{version} {measured:.1%} of {total}, expected {percent} % ± {slack:.1%}")
    return fine, "; ".join(told)


# --- load -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What one family's load met: by second since the start, accepted and refused with 429; others: anything else.

    begun, ended: when the first and the last request were sent, in seconds by the sending pod's clock.
    """

    accepted: Mapping[int, int]
    refused: Mapping[int, int]
    others: Mapping[str, int]
    begun: float = 0.0
    ended: float = 0.0

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.accepted.values()) + sum(self.refused.values()) + sum(self.others.values())


def parse_access_log(text: str) -> Load:
    """What is in fortio's access log: lines of JSON with timestamp in nanoseconds and the status as details.

    Other lines are not of it.
    """
    lines: list[tuple[float, str]] = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            lines.append((float(entry["timestamp"]) / 1e9, str(entry["details"])))
        except (ValueError, KeyError, TypeError):
            continue
    begun = min((when for when, _ in lines), default=0.0)
    accepted: dict[int, int] = {}
    refused: dict[int, int] = {}
    others: dict[str, int] = {}
    for when, code in lines:
        second = int(when - begun)
        if code == "200":
            accepted[second] = accepted.get(second, 0) + 1
        elif code == "429":
            refused[second] = refused.get(second, 0) + 1
        else:
            others[code] = others.get(code, 0) + 1
    return Load(accepted, refused, others, begun, max((when for when, _ in lines), default=begun))


def judge_load(loads: Mapping[str, Load], limit: int, seconds: float, buckets: int) -> tuple[bool, str]:
    """Whether both families together got what the limit allows.

    limit: requests a second of one bucket; buckets: pods with one each; seconds: how long each family sends. At the
    least one of them was busy all the time (a tenth less is lost to its start and end), at the most all were, from the
    first request of one family to the last of the other, each with the full bucket that it begins with and the second
    that the last requests reach into. On a busy host the families do not begin together; pods' clocks that say more
    than twice the time are not believed.
    """
    lasted = max(load.ended for load in loads.values()) - min(load.begun for load in loads.values())
    lasted = max(seconds, lasted if lasted <= 2 * seconds else seconds)
    accepted = sum(sum(load.accepted.values()) for load in loads.values())
    others = {code: count for load in loads.values() for code, count in load.others.items()}
    least, most = 0.9 * limit * seconds, buckets * limit * (lasted + 2)
    told = f"{accepted} accepted of {sum(load.total for load in loads.values())}"
    told += f"; expected {least:.0f} to {most:.0f} ({limit} a second in each of {buckets} pods for {lasted:.1f} s)"
    refused = all(sum(load.refused.values()) for load in loads.values())
    if others:
        return False, f"{told}; other answers: {others}, expected 200 and 429 only"
    if not refused:
        return False, f"{told}; nothing was refused in one family, expected some in each"
    return least <= accepted <= most, told
