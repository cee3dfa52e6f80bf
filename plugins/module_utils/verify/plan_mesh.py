"""Which probes exist where there is a mesh. Pure, like verify_plan, which calls every group here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    FAMILIES,
    GATEWAY,
    HOST,
    MESH,
    OUTSIDE,
    POD,
    Action,
    Fetch,
    Known,
    Node,
    Probe,
    Redirects,
    Service,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    CLUSTER_IP_SERVICES,
    COUNTED,
    COUNTED_SERVICE,
    SERVICE_PORT,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan_telemetry import (
    OBSERVABILITY,
    PROMETHEUS,
    trace_headers,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import ANY, Scope, Skip, missing, pairs, url

# What the caller's own proxy adds to an answer: whoever went around the proxy does not see it.
THROUGH_PROXY = "x-envoy-upstream-service-time"
# What the called proxy tells of the caller's certificate (Envoy: x-forwarded-client-cert), asked for by agnhost's path.
# Who the called proxy is to its program (istio: pilot/pkg/networking/core/listener_address.go), as agnhost tells it.
PROXY_SOURCE = {"IPv4": "127.0.0.6:", "IPv6": "[::6]:"}
PATIENT = replace(ANY, patient=True)
CERTIFICATE_PATH = "/header?key=X-Forwarded-Client-Cert"


def _mesh_services(family: str) -> list[str]:
    """Services that have an address of the family."""
    return [name for name, (_, families) in CLUSTER_IP_SERVICES.items() if family in families]


def _mesh_probe(
    group: str, family: str, node: Node, kind: str, service: Service, title: str, like: Fetch, path: str
) -> Probe:
    """A request from an agent to a Service's address of a family."""
    address = service.addresses.get(family, "")
    action: Action = replace(like, url=url(address, SERVICE_PORT, path)) if address else missing(service.name, family)
    return Probe(
        id=f"{group}/{family}/{node.name}/{service.name}",
        group=group,
        title=title,
        family=family,
        source=node.name,
        target=service.name,
        runner=f"{kind}/{node.name}",
        action=action,
        address=address,
    )


def mesh_rules(scope: Scope) -> Iterator[Probe]:
    """istio-cni made its rules of the family in the pod. Without them the family goes around the proxy, unseen."""
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            yield Probe(
                id=f"mesh-rules/{family}/{node.name}/proxy",
                group="mesh-rules",
                title=f"rules in a pod on {node.name} that lead to its proxy",
                family=family,
                source=node.name,
                target="proxy",
                runner=f"{MESH}/{node.name}",
                action=Redirects(family),
            )


def mesh_mtls(scope: Scope) -> Iterator[Probe]:
    """From proxy to proxy by mutual TLS: the called side saw the caller's certificate."""
    like = replace(ANY, contains=("spiffe://",))
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            for name in _mesh_services(family):
                title = f"pod in the mesh on {node.name} to {name} by mutual TLS"
                traced = replace(like, send=trace_headers(scope.run, family, node.name))
                yield _mesh_probe(
                    "mesh-mtls", family, node, MESH, scope.mesh_service(name), title, traced, CERTIFICATE_PATH
                )


def mesh_name(scope: Scope) -> Iterator[Probe]:
    """As mesh_mtls, by the Service's name, looked up in the family."""
    for family in FAMILIES:
        like = replace(ANY, contains=("spiffe://",), family=family)
        for node in scope.mesh_nodes():
            for name in _mesh_services(family):
                service = scope.mesh_service(name)
                title = f"pod in the mesh on {node.name} to {name} by its name, by mutual TLS"
                probe = _mesh_probe("mesh-name", family, node, MESH, service, title, like, CERTIFICATE_PATH)
                full = f"{name}.{service.namespace}.svc.{scope.cluster.domain}"
                if isinstance(probe.action, Fetch):
                    asked = replace(probe.action, url=f"http://{full}:{SERVICE_PORT}{CERTIFICATE_PATH}")
                    probe = replace(probe, action=asked)
                yield probe


def mesh_wire(scope: Scope) -> Iterator[Probe]:
    """A Service of one family is called in that family: the called proxy hands on by its own address of it."""
    for family in FAMILIES:
        (name,) = (name for name, (_, families) in CLUSTER_IP_SERVICES.items() if families == (family,))
        like = replace(ANY, contains=(PROXY_SOURCE[family],))
        for node in scope.mesh_nodes():
            title = f"pod in the mesh on {node.name} to {name} in {family} on the wire"
            yield _mesh_probe("mesh-wire", family, node, MESH, scope.mesh_service(name), title, like, "/clientip")


def mesh_plain(scope: Scope) -> Iterator[Probe]:
    """From the mesh, through the caller's proxy, to a Service outside it."""
    like = replace(ANY, contains=(THROUGH_PROXY,), headers=True)
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            for name in _mesh_services(family):
                title = f"pod in the mesh on {node.name} through its proxy to plain Service {name}"
                yield _mesh_probe("mesh-plain", family, node, MESH, scope.own_service(name), title, like, "/hostname")


def mesh_strict(scope: Scope) -> Iterator[Probe]:
    """A pod outside the mesh is refused by pods in it: nothing gets around their proxies."""
    like = replace(ANY, refused=True)
    for family in FAMILIES:
        if not scope.mesh_nodes():
            return
        for node in scope.cluster.nodes:
            for name in _mesh_services(family):
                title = f"plain pod on {node.name} is refused by {name}"
                yield _mesh_probe("mesh-strict", family, node, POD, scope.mesh_service(name), title, like, "/hostname")


def mesh_outside(scope: Scope) -> Iterator[Probe | Skip]:
    """From the mesh to a host outside the cluster."""
    if not scope.mesh_nodes():
        return
    if not (scope.outside and scope.outside.addresses):
        yield Skip("mesh-outside", "no listener is given (option outside_addresses)")
        return
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            address = scope.outside.addresses[family]
            yield Probe(
                id=f"mesh-outside/{family}/{node.name}/{OUTSIDE}",
                group="mesh-outside",
                title=f"pod in the mesh on {node.name} to a host outside",
                family=family,
                source=node.name,
                target=OUTSIDE,
                runner=f"{MESH}/{node.name}",
                action=replace(ANY, url=url(address, scope.outside.port, "/")),
                address=address,
            )


def mesh_gateway(scope: Scope) -> Iterator[Probe]:
    """From outside and from every host by the gateway's NodePort on every node to a pod in the mesh."""
    if not scope.mesh_nodes():
        return
    service = scope.mesh_service(GATEWAY)
    ports = [port for _, _, port in service.ports if port]
    agents = [scope.agent(MESH, node.name) for node in scope.mesh_nodes()]
    backends = frozenset(agent.name for agent in agents if agent.running)
    sources = [(OUTSIDE, node) for node in scope.cluster.nodes] if scope.outside else []
    sources += [(one.name, other) for one, other in pairs(scope.cluster)]
    for family in FAMILIES:
        for source, node in sources:
            address = node.addresses.get(family, "")
            action: Action
            if not address:
                action = missing(f"node {node.name}", family)
            elif not ports or not backends:
                why = service.problem or ("no pod in the mesh runs" if ports else "no node port was given")
                action = Known(False, f"not tried: the gateway: {why}")
            else:
                action = Fetch(url(address, ports[0], "/hostname"), bodies=backends)
            yield Probe(
                id=f"mesh-gateway/{family}/{source}/{node.name}",
                group="mesh-gateway",
                title=f"{source} by the gateway's port on {node.name} into the mesh",
                family=family,
                source=source,
                target=node.name,
                runner=OUTSIDE if source == OUTSIDE else f"{HOST}/{source}",
                action=action,
                address=address,
            )


def mesh_count(scope: Scope) -> Iterator[Probe]:
    """So many requests of each family to a Service that nobody else asks; mesh-metrics looks for their number."""
    if f"{OBSERVABILITY}/{PROMETHEUS[0]}" not in scope.cluster.services:
        return
    service = scope.mesh_service(COUNTED_SERVICE)
    for family in FAMILIES:
        for node in scope.mesh_nodes()[:1]:
            for number in range(COUNTED):
                title = f"request {number + 1} of {COUNTED} that are counted"
                probe = _mesh_probe("mesh-count", family, node, MESH, service, title, PATIENT, "/hostname")
                yield replace(probe, id=f"{probe.id}/{number + 1}")
