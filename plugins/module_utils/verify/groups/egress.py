"""What leaves the pod network carries the address of the node that it left."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import OUTSIDE, POD, Action, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import (
    ANY,
    make_probe,
    missing,
    to_host,
    url,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "egress"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """Requests from a pod on every node to servers that answer with the source address that they see."""
    outside = scope.outside if scope.outside and scope.outside.addresses else None
    if outside is None:
        yield Skip(ID, "to outside: no listener is given (option outside_addresses); probed to other hosts")
    if len(scope.cluster.nodes) < 2 and outside is None:
        yield Skip(ID, "a single node has no other host to be seen by")
    for family in FAMILIES:
        for one in scope.cluster.nodes:
            own = one.addresses.get(family, "")
            as_node = replace(ANY, source=True, bodies=frozenset({str(ipaddress.ip_address(own))} if own else ()))
            targets: dict[str, tuple[Action, str]] = {}
            for other in scope.cluster.nodes:
                if other is not one:
                    targets[other.name] = to_host(scope, other, family, "/clientip", as_node)
            if outside:
                address = outside.addresses[family]
                targets[OUTSIDE] = replace(as_node, url=url(address, outside.port, "/")), address
            for target, (action, address) in targets.items():
                yield make_probe(
                    ID,
                    family,
                    one.name,
                    target,
                    f"pod on {one.name} leaves for {target} as its node",
                    action if own else missing(f"node {one.name}", family),
                    runner=f"{POD}/{one.name}",
                    address=address,
                )


def next_command(probe: Probe, verdict: Verdict) -> str:
    """The pools where the address was a wrong one, the route where nothing arrived."""
    if verdict.detail.startswith("found source"):
        return commands.POOLS
    return f"on {probe.source}: {commands.route(probe)}; {commands.forwarding(probe)}"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="a pod on every node",
        target="every other host; the outside listener",
        passes="the other side sees the address of the pod's node in that family: NAT of the pool works",
    ),
)
