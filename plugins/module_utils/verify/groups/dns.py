"""A and AAAA, queried over each family's transport. A probe's family is that of the transport, not of the record."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import POD, Action, Known, Probe, Query
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import CLUSTER_IP_SERVICES
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import RECORDS, make_probe, missing
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "dns"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """Both records of every Service, from every node."""
    server = scope.cluster.services.get("kube-system/kube-dns")
    if server is None:
        yield Skip(ID, "the cluster has no Service kube-system/kube-dns")
        return
    for family in FAMILIES:
        address = server.addresses.get(family, "")
        for node in scope.cluster.nodes:
            for name in CLUSTER_IP_SERVICES:
                service = scope.own_service(name)
                for record_family, kind in RECORDS.items():
                    answer = service.addresses.get(record_family)
                    action: Action
                    if not address:
                        action = missing("Service kube-system/kube-dns", family)
                    elif service.problem:
                        action = Known(False, f"not tried: Service {name} was not created: {service.problem}")
                    else:
                        answers = frozenset({str(ipaddress.ip_address(answer))} if answer else ())
                        full = f"{name}.{scope.namespace}.svc.{scope.cluster.domain}."
                        action = Query(address, kind, full, answers)
                    yield make_probe(
                        ID,
                        family,
                        node.name,
                        name,
                        f"pod on {node.name}: {kind} of {name} over {family}",
                        action,
                        runner=f"{POD}/{node.name}",
                        address=address,
                        name=f"{name}/{kind}",
                    )


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda *_: f"{commands.DNS_ADDRESSES}; {commands.DNS_PODS}",
    document=Document(
        source="a pod on every node",
        target="the DNS Service's address; the family is that of the transport",
        passes="A and AAAA of the four Services are exactly their addresses, also when that is none (`NOERROR`, no "
        "address)",
    ),
)
