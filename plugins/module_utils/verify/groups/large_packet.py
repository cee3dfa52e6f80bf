"""Transfers of many full-size packets both ways, and one packet as large as the link that must not be split."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import HOST, POD, Action, Fetch, Ping, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, to_host, to_pod
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip, pairs

ID = "large-packet"
LARGE = Fetch("", large=True)


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """A transfer and a ping between all pods, and between all hosts."""
    if len(scope.cluster.nodes) < 2:
        yield Skip(ID, "a single node has no path to another")
    for family in FAMILIES:
        for one, other in pairs(scope.cluster):
            for kind in (POD, HOST):
                if kind == POD:
                    transfer, address = to_pod(scope.agent(POD, other.name), family, "/echo", LARGE)
                else:
                    transfer, address = to_host(scope, other, family, "/echo", LARGE)
                ping: Action = Ping(address, own_mtu=kind == POD) if isinstance(transfer, Fetch) else transfer
                for what, action in (("transfer", transfer), ("ping", ping)):
                    yield make_probe(
                        ID,
                        family,
                        one.name,
                        other.name,
                        f"{kind} {'on ' if kind == POD else ''}{one.name} to {other.name}, full-size {what}",
                        action,
                        runner=f"{kind}/{one.name}",
                        address=address,
                        name=f"{other.name}/{kind}-{what}",
                    )


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=lambda probe, _: f"on {probe.source}: ip link; tracepath -{probe.family[-1]} {probe.address}",
    document=Document(
        source="pod and host on every node",
        target="pod and host on every other",
        passes="128 KiB there and back; one echo request as large as the link's MTU that must not be fragmented",
    ),
)
