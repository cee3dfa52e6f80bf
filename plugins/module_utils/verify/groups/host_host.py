"""From every host to the node address of every other."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import HOST, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, to_host
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, pairs

ID = "host-host"


def plan(scope: Scope) -> Iterator[Probe]:
    """A request to the agent on every other host."""
    for family in FAMILIES:
        for one, other in pairs(scope.cluster):
            action, address = to_host(scope, other, family, "/hostname")
            title, runner = f"host {one.name} to host {other.name}", f"{HOST}/{one.name}"
            yield make_probe(ID, family, one.name, other.name, title, action, runner=runner, address=address)


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=lambda probe, _: f"on {probe.source}: {commands.reach(probe)}",
    document=Document(
        source="every host", target="every other host's node address", passes="HTTP 200 from the agent there"
    ),
)
