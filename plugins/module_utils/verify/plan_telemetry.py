"""Probes of tenants' gateways, and of what Prometheus, Jaeger and Kiali saw of the mesh's own probes. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from urllib.parse import quote

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    FAMILIES,
    HOST,
    MESH,
    OUTSIDE,
    POD,
    TENANT,
    Action,
    Fetch,
    Known,
    Listens,
    Node,
    Probe,
    TenantGateway,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    COUNTED,
    COUNTED_SERVICE,
    mesh_namespace,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, missing, pairs, url

OBSERVABILITY = "observability"
PROMETHEUS, JAEGER, KIALI = ("prometheus", 9090), ("jaeger-query", 16686), ("kiali", 20001)
COLLECTOR = ("jaeger-collector", 4317)
# OpenTelemetry: opentelemetry/proto/collector/trace/v1/trace_service.proto
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# A gateway without a route for the request: it answers itself. 200 and others are answers of what stands behind it.
ANSWERS = frozenset({200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429})
GRAPH_SECONDS = 120


def trace_id(run: str, family: str, node: str) -> str:
    """The trace of one node's requests of one family in one verification (W3C trace context: 32 hexadecimal digits)."""
    return hashlib.sha256(f"{run}/{family}/{node}".encode()).hexdigest()[:32]


def trace_headers(run: str, family: str, node: str) -> tuple[str, ...]:
    """Headers that ask every proxy on the way to record its part in one trace; none without a run."""
    if not run:
        return ()
    trace = trace_id(run, family, node)
    # The second one takes the choice from chance (Envoy: x-client-trace-id).
    return f"traceparent: 00-{trace}-{'1' * 16}-01", f"x-client-trace-id: {trace}"


# --- gateways of tenants ----------------------------------------------------------------------------------------------


def tenant_gateway(scope: Scope) -> Iterator[Probe]:
    """From outside, or from other hosts where there is no outside, to every tenant's ports on every node."""
    if scope.outside:
        ways: list[tuple[str, Node]] = [(OUTSIDE, node) for node in scope.cluster.nodes]
    else:
        ways = [(one.name, other) for one, other in pairs(scope.cluster)]
    for family in FAMILIES:
        for gateway in scope.cluster.gateways:
            for scheme, port in (("http", gateway.http_port), ("https", gateway.https_port)):
                if not port:
                    continue
                for source, node in ways:
                    address = node.addresses.get(family, "")
                    action = _gateway_request(gateway, scheme, address, port)
                    yield Probe(
                        id=f"tenant-gateway/{family}/{source}/{node.name}/{gateway.namespace}-{scheme}",
                        group="tenant-gateway",
                        title=f"{source} to {gateway.namespace}'s gateway on {node.name} by {scheme.upper()}",
                        family=family,
                        source=source,
                        target=f"{gateway.namespace}-{scheme}",
                        runner=OUTSIDE if source == OUTSIDE else f"{HOST}/{source}",
                        action=action if address else missing(f"node {node.name}", family),
                        address=address,
                    )


def _gateway_request(gateway: TenantGateway, scheme: str, address: str, port: int) -> Fetch:
    """HTTPS is checked against the certificate that the tenant's Secret holds, for a name that it is good for."""
    if scheme == "http" or not gateway.host:
        return Fetch(url(address, port, "/", scheme), codes=ANSWERS, verify=False)
    return Fetch(
        url(gateway.host, port, "/", scheme),
        codes=ANSWERS,
        connect_to=f"{url(address, port, '').removeprefix('http://')}",
        authority=gateway.authority,
    )


def tenant_listens(scope: Scope) -> Iterator[Probe]:
    """A tenant's program listens in the family, told apart from a network that does not carry it.

    Requests through proxies do not tell: they travel in the first family of the called pod.
    """
    for family in FAMILIES:
        for one in scope.cluster.workloads:
            if family not in one.families:
                continue
            yield Probe(
                id=f"tenant-listens/{family}/{one.namespace}/{one.service}/{one.kind}/{one.port}",
                group="tenant-listens",
                title=f"{one.namespace}'s {one.pod} listens on port {one.port}",
                family=family,
                source=one.node,
                target=f"{one.namespace}/{one.service}",
                runner=f"{TENANT}/{one.namespace}/{one.pod}/{one.container}",
                action=Listens(family, one.port),
            )


# --- what was seen ----------------------------------------------------------------------------------------------------


def mesh_metrics(scope: Scope) -> Iterator[Probe]:
    """Prometheus counted requests of each family, as the caller's and as the called proxy saw them."""
    space = mesh_namespace(scope.namespace)
    for family in FAMILIES:
        for reporter in ("source", "destination"):
            wanted = {
                f"{reporter}_workload_namespace": space,
                # Both ends, or nobody told the called proxy who calls.
                "source_canonical_revision": scope.run,
                "destination_canonical_revision": scope.run,
                "reporter": reporter,
                "ip_family": family,
            }
            selector = ",".join(f'{name}="{value}"' for name, value in wanted.items())
            query = f"sum by (ip_family) (istio_requests_total{{{selector}}})"
            title = f"requests by {family} counted by the {reporter}'s proxy"
            yield from _seen(
                scope, "mesh-metrics", family, reporter, title, PROMETHEUS, _query(query), (f'"{family}"',)
            )
        # Not at the called proxy: between the proxies there is one family, whatever the caller used.
        selector = (
            f'reporter="source",destination_service_name="{COUNTED_SERVICE}",destination_service_namespace="{space}"'
        )
        selector += f',source_canonical_revision="{scope.run}",response_code="200",ip_family="{family}"'
        title = f"{COUNTED} requests by {family} sent, {COUNTED} counted"
        path = _query(f"sum(istio_requests_total{{{selector}}})")
        yield from _seen(scope, "mesh-metrics", family, "count", title, PROMETHEUS, path, (f',"{COUNTED}"]',))


def mesh_trace(scope: Scope) -> Iterator[Probe]:
    """Jaeger has the trace of a request of each family with the spans of both proxies."""
    for family in FAMILIES:
        for node in scope.mesh_nodes():
            path = f"/api/traces/{trace_id(scope.run, family, node.name)}"
            title = f"trace of a {family} request from {node.name}, both proxies in it"
            yield from _seen(scope, "mesh-trace", family, node.name, title, JAEGER, path, SPANS)


def mesh_collector(scope: Scope) -> Iterator[Probe]:
    """Jaeger takes spans by OTLP over each family; which one a proxy sends its own by is the proxy's choice."""
    for family in FAMILIES:
        title = f"Jaeger takes spans by OTLP over {family}"
        name = COLLECTOR[0]
        yield from _seen(scope, "mesh-collector", family, name, title, COLLECTOR, EXPORT, ("grpc-status: 0",))


def _query(text: str) -> str:
    return f"/api/v1/query?query={quote(text, safe='')}"


SPANS = ('"outbound|80|', '"inbound|8080|')


def mesh_graph(scope: Scope) -> Iterator[Probe]:
    """Kiali draws the requests between the mesh's pods."""
    space = mesh_namespace(scope.namespace)
    path = f"/kiali/api/namespaces/graph?namespaces={space}&graphType=versionedApp&duration={GRAPH_SECONDS}s"
    for family in FAMILIES:
        edges = (f'"version": "{scope.run}"', '"isMTLS": "100"')
        yield from _seen(scope, "mesh-graph", family, KIALI[0], "Kiali's graph has the edges", KIALI, path, edges)


# Jobs of manifests/observability.py: those that look at both families, and those that look at the family that the
# first address of a pod or a node has.
FAMILY_JOBS = ("node-families", "service-families")
NODE_JOBS = ("kubelet", "pods", "felix", "istio-cni")  # with a target on every node
DNS_SERVICE, ISTIOD_SERVICES = "kube-system/kube-dns", "istio-system/istiod"
IPVS_JOB = "ipvs"  # with a target on every worker, where kube-proxy uses IPVS
PROMETHEUS_JOB = "prometheus"  # Prometheus itself
JOBS = ("proxies", "istiod", "istio-cni", "coredns", "kubelet", "pods", "felix", "api-server", PROMETHEUS_JOB)


def _looked_at(labels: str) -> str:
    """Targets as Prometheus sees them since it started.

    Of those that went while it did not run it shows the last sample for five minutes more, as if they were there.
    """
    started = f'scalar(max(process_start_time_seconds{{job="{PROMETHEUS_JOB}"}}))'
    return f"(up{{{labels}}} and timestamp(up{{{labels}}}) > {started})"


def scrape_targets(scope: Scope) -> Iterator[Probe]:
    """Everything that Prometheus looks at answers, in the family that it should be asked in."""
    for family in FAMILIES:
        of_family = f'ip_family="{family}"'
        asked = f'job="{FAMILY_JOBS[0]}",{of_family}'
        nodes = f"count({_looked_at(asked)} == 1)"
        title = f"every node answers Prometheus over {family}"
        expected = f',"{len(scope.cluster.nodes)}"]'
        yield from _seen(scope, "scrape-targets", family, "nodes", title, PROMETHEUS, _query(nodes), (expected,))
        # A Service that has lost a family has no target of it any more: as many as there are Services, and all up.
        watched = f'job="{FAMILY_JOBS[1]}"'
        there, all_there = _looked_at(f"{watched},{of_family}"), _looked_at(watched)
        services = f"sum({there}) == bool scalar(count(count by (service) ({all_there})))"
        title = f"every watched Service answers Prometheus over {family}"
        yield from _seen(scope, "scrape-targets", family, "services", title, PROMETHEUS, _query(services), (',"1"]',))
        for job in (*JOBS, *([IPVS_JOB] if scope.cluster.proxy_mode == "ipvs" else [])):
            title = f"every target of {job} answers Prometheus"
            there, count = _looked_at(f'job="{job}"'), _number_of_targets(scope, job)
            query, answer = f"min({there})", ',"1"]'
            if count:  # so many there must be: one that is gone is not up either
                query, answer = f"count({there} == 1)", f',"{count}"]'
            yield from _seen(scope, "scrape-targets", family, job, title, PROMETHEUS, _query(query), (answer,))


def _number_of_targets(scope: Scope, job: str) -> int:
    """How many a job must have, by the nodes and by the pods behind Services; 0 where nothing tells."""
    if job in NODE_JOBS:
        return len(scope.cluster.nodes)
    if job == "api-server":
        return len(scope.cluster.control_plane)
    if job == PROMETHEUS_JOB:
        return 1
    if job == IPVS_JOB:
        return len(scope.cluster.nodes) - len(scope.cluster.control_plane)
    pods: set[str] = set()
    for name, service in scope.cluster.services.items():
        if name == DNS_SERVICE if job == "coredns" else job == "istiod" and name.startswith(ISTIOD_SERVICES):
            counted = [
                servers for (family, _, _), servers in service.servers.items() if family == scope.cluster.primary_family
            ]
            pods |= {server.rpartition(":")[0] for servers in counted for server in servers}
    return len(pods)


def _seen(
    scope: Scope,
    group: str,
    family: str,
    what: str,
    title: str,
    place: tuple[str, int],
    path: str,
    contains: tuple[str, ...],
) -> Iterator[Probe]:
    """A question to one of the three by its Service's address of the family; nothing where it is not installed."""
    name, port = place
    service = scope.cluster.services.get(f"{OBSERVABILITY}/{name}")
    nodes = scope.mesh_nodes()
    if service is None or not nodes:
        return
    address = service.addresses.get(family, "")
    action: Action = missing(f"{name}", family)
    if address:
        export = place == COLLECTOR
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
