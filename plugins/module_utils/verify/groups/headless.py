"""The name of a headless Service leads to every pod behind it, by the pod's own resolver."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    POD,
    Action,
    Fetch,
    Known,
    Probe,
    Query,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import HEADLESS_SERVICE, POD_PORT
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import RECORDS, make_probe, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "headless"


def plan(scope: Scope) -> Iterator[Probe]:
    """The records of the name, and a connection by it."""
    service = scope.own_service(HEADLESS_SERVICE)
    name = f"{HEADLESS_SERVICE}.{scope.namespace}.svc.{scope.cluster.domain}."
    agents = [agent for agent in scope.cluster.agents.values() if agent.kind == POD and agent.running]
    for family in FAMILIES:
        answers = frozenset(
            str(ipaddress.ip_address(agent.addresses[family])) for agent in agents if family in agent.addresses
        )
        for node in scope.cluster.nodes:
            records: Action = Query("", RECORDS[family], name, answers)
            connect: Action = Fetch(url(HEADLESS_SERVICE, POD_PORT, "/hostname"), family, scope.backends())
            if nobody := scope.nobody():
                records = connect = nobody
            elif service.problem or not answers:
                records = connect = Known(False, f"not tried: {service.problem or f'no pod has an {family} address'}")
            for what, action in (("records", records), ("connect", connect)):
                title, runner = f"pod on {node.name}: headless Service, {what}", f"{POD}/{node.name}"
                yield make_probe(
                    ID, family, node.name, HEADLESS_SERVICE, title, action, runner=runner, address=name, name=what
                )


def next_command(probe: Probe, verdict: Verdict) -> str:
    """The DNS Service's pods, and whether the node forwards to them."""
    return f"{commands.DNS_PODS}; on {probe.source}: {commands.forwarding(probe)}"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="a pod on every node",
        target="the headless name",
        passes="by the pod's own resolv.conf, A or AAAA are exactly the addresses of all pods; a connection by the "
        "short name in that family is answered",
    ),
)
