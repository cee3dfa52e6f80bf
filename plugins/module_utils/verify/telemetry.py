"""Questions to Prometheus, Jaeger and Kiali by their Services' addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.observability import COLLECTOR, PROMETHEUS, ServicePort
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import MESH, POD, Action, Fetch, Known, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope


def question(
    scope: Scope,
    group: str,
    family: str,
    what: str,
    title: str,
    service_port: ServicePort,
    path: str,
    contains: tuple[str, ...],
) -> Iterator[Probe]:
    """A question to one of the three by its Service's address of the family; nothing where it is not installed."""
    name, port = service_port
    service = scope.cluster.services.get(f"{OBSERVABILITY}/{name}")
    nodes = scope.mesh_nodes()
    if service is None or not nodes:
        return
    address = service.addresses.get(family, "")
    action: Action = missing(name, family)
    if address:
        export = service_port == COLLECTOR
        action = Fetch(url(address, port, path), contains=contains, export=export)
    if not any(scope.agent(MESH, node.name).running for node in nodes):
        action = Known(False, "not tried: no pod in the mesh runs")
    source = next((node for node in nodes if scope.agent(POD, node.name).running), nodes[0])
    yield Probe(
        id=f"{group}/{family}/{what}",
        group=group,
        title=title,
        family=family,
        source=source.name,
        target=what,
        runner=f"{POD}/{source.name}",
        action=action,
        address=address,
    )


def query(
    scope: Scope, group: str, family: str, what: str, title: str, expression: str, contains: str
) -> Iterator[Probe]:
    """A question to Prometheus in its own language, with what must be in the answer."""
    path = f"/api/v1/query?query={quote(expression, safe='')}"
    return question(scope, group, family, what, title, PROMETHEUS, path, (contains,))
