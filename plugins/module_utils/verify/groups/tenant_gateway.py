"""From outside, or from other hosts where there is no outside, to every tenant's ports on every node."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    HOST,
    OUTSIDE,
    Fetch,
    Node,
    Probe,
    TenantGateway,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, pairs

ID = "tenant-gateway"
# A gateway without a route for the request: it answers itself. 200 and others are answers of what is behind it.
ANSWERS = frozenset({200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429})


def plan(scope: Scope) -> Iterator[Probe]:
    """HTTP and HTTPS, as far as a tenant has them."""
    if scope.outside:
        sources: list[tuple[str, Node]] = [(OUTSIDE, node) for node in scope.cluster.nodes]
    else:
        sources = [(one.name, other) for one, other in pairs(scope.cluster)]
    for family in FAMILIES:
        for gateway in scope.cluster.gateways:
            for scheme, port in (("http", gateway.http_port), ("https", gateway.https_port)):
                if not port:
                    continue
                target = f"{gateway.namespace}-{scheme}"
                for source, node in sources:
                    address = node.addresses.get(family, "")
                    action = _request(gateway, scheme, address, port)
                    yield make_probe(
                        ID,
                        family,
                        source,
                        target,
                        f"{source} to {gateway.namespace}'s gateway on {node.name} by {scheme.upper()}",
                        action if address else missing(f"node {node.name}", family),
                        runner=OUTSIDE if source == OUTSIDE else f"{HOST}/{source}",
                        address=address,
                        name=f"{node.name}/{target}",
                    )


def _request(gateway: TenantGateway, scheme: str, address: str, port: int) -> Fetch:
    """HTTPS is checked against the certificate that the tenant's Secret holds, for a name that it is good for."""
    if scheme == "http" or not gateway.host:
        return Fetch(url(address, port, "/", scheme), codes=ANSWERS, verify=False)
    return Fetch(
        url(gateway.host, port, "/", scheme),
        codes=ANSWERS,
        connect_to=f"{url(address, port, '').removeprefix('http://')}",
        authority=gateway.authority,
    )


def next_command(probe: Probe, verdict: Verdict) -> str:
    """What is wrong with the tenant's routes, and whether kube-proxy leads to its gateway."""
    return f"istioctl analyze -n {probe.target.rpartition('-')[0]}; on any host: ipvsadm -Ln"


GROUP = Group(
    id=ID,
    part=Part.TENANTS,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="outside (else every host)",
        target="every tenant's ports on every (other) node",
        passes="the gateway answers; by HTTPS with the very certificate that the tenant's Secret holds, for a name "
        "that it is good for",
    ),
)
