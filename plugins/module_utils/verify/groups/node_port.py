"""From outside to the NodePort on every node, and from every host to that on every other."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    HOST,
    OUTSIDE,
    Action,
    Fetch,
    Known,
    Probe,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import NODE_PORT_SERVICE
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip, pairs

ID = "node-port"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """Requests to one Service by all of its node addresses."""
    service = scope.own_service(NODE_PORT_SERVICE)
    ports = [port for _, _, port in service.ports if port]
    sources = [(None, node) for node in scope.cluster.nodes] if scope.outside else []
    if not scope.outside:
        yield Skip(ID, "from outside: no place outside is given (option outside); probed between hosts")
    for family in FAMILIES:
        for one, other in [*sources, *pairs(scope.cluster)]:
            source = one.name if one else OUTSIDE
            address = other.addresses.get(family, "")
            action: Action
            if not address:
                action = missing(f"node {other.name}", family)
            elif not ports:
                action = Known(False, f"not tried: the Service has no node port: {service.problem or 'none was given'}")
            else:
                action = scope.nobody() or Fetch(url(address, ports[0], "/hostname"), bodies=scope.backends())
            title = f"{'host ' + source if one else 'outside'} to NodePort on {other.name}"
            runner = f"{HOST}/{source}" if one else OUTSIDE
            yield make_probe(ID, family, source, other.name, title, action, runner=runner, address=address)


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: commands.node_port(probe),
    document=Document(
        source="outside, every host",
        target="every (other) node's address and node port",
        passes="one of the Service's pods answers",
    ),
)
