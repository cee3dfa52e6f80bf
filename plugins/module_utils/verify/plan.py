"""Which probes exist for a cluster. Pure: `Cluster` in, probes and skipped groups out.

Every function is one group and loops over both families in the same way. What cannot be run because its source or
its target is missing is a failed probe with the reason, never a missing one: the number of probes depends on the
nodes only, so a broken cluster cannot look small and green.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    FAMILIES,
    HOST,
    OUTSIDE,
    PEER,
    POD,
    Action,
    Agent,
    Cluster,
    Fetch,
    Known,
    Node,
    NoServers,
    Outside,
    Ping,
    Probe,
    Query,
    Servers,
    Service,
    endpoint,
    family_of,
    is_address,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    CLUSTER_IP_SERVICES,
    HEADLESS_SERVICE,
    NODE_PORT_SERVICE,
    POD_PORT,
    SERVICE_PORT,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan_mesh import (
    mesh_count,
    mesh_gateway,
    mesh_mtls,
    mesh_name,
    mesh_outside,
    mesh_plain,
    mesh_rules,
    mesh_strict,
    mesh_wire,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.plan_telemetry import (
    mesh_collector,
    mesh_graph,
    mesh_metrics,
    mesh_trace,
    scrape_targets,
    tenant_gateway,
    tenant_listens,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import (
    ANY,
    Plan,
    Scope,
    Skip,
    missing,
    pairs,
    url,
)

RECORDS = {"IPv4": "A", "IPv6": "AAAA"}
API_PATH = "/livez"
LARGE = Fetch("", large=True)


def plan(
    cluster: Cluster,
    namespace: str,
    host_port: int,
    proxy_mode: str = "",
    outside: Outside | None = None,
    run: str = "",
) -> Plan:
    """Everything that is to be proven.

    namespace: where the agents are; host_port: where hosts' agents listen; proxy_mode: `ipvs` or `nftables`, empty =
    what the cluster's own kube-proxy configuration names; outside: None when nothing can be probed from outside.
    run: makes this verification's traces its own.
    """
    scope = Scope(cluster, namespace, host_port, proxy_mode or cluster.proxy_mode, outside, run)
    skipped: list[Skip] = []
    probes: list[Probe] = []
    for group in (
        addresses,
        host_host,
        pod_pod,
        cluster_ip,
        node_port,
        headless,
        dns,
        api_server,
        certificate,
        egress,
        large_packet,
        kube_proxy,
        mesh_rules,
        mesh_mtls,
        mesh_name,
        mesh_wire,
        mesh_plain,
        mesh_strict,
        mesh_outside,
        mesh_gateway,
        mesh_count,
        tenant_gateway,
        tenant_listens,
        mesh_metrics,
        mesh_trace,
        mesh_collector,
        mesh_graph,
        scrape_targets,
    ):
        for item in group(scope):
            if isinstance(item, Skip):
                skipped.append(item)
            else:
                probes.append(scope.runnable(item))
    return Plan(tuple(probes), tuple(skipped))


def plan_without_agents(cluster: Cluster, namespace: str) -> Plan:
    """What the API alone proves, for check mode: nothing is created in the cluster."""
    scope = Scope(cluster, namespace, 0, "", None)
    return Plan(tuple(addresses(scope)), (Skip("all other groups", "check mode creates nothing in the cluster"),))


# --- the groups -----------------------------------------------------------------------------------------------


def addresses(scope: Scope) -> Iterator[Probe]:
    """No node, no running pod and no pool lacks a family."""
    for family in FAMILIES:
        for node in scope.cluster.nodes:
            found = node.addresses.get(family)
            what = f"InternalIP {found}" if found else f"found no {family} InternalIP, expected one"
            yield _address_probe(family, node.name, "node", f"{node.name} has a node address", bool(found), what)

            ranges = [cidr for cidr in node.pod_cidrs if ipaddress.ip_network(cidr).version == int(family[-1])]
            if node.pod_cidrs:
                what = f"podCIDR {ranges[0]}" if ranges else f"found {', '.join(node.pod_cidrs)}, expected {family} too"
                title = f"{node.name} has a pod network"
                yield _address_probe(family, node.name, "pod-network", title, bool(ranges), what)

            lacking = scope.cluster.pods_without[node.name, family]
            what = f"found {len(lacking)} without: {', '.join(lacking[:5])}" if lacking else "every running pod has one"
            yield _address_probe(family, node.name, "pods", f"pods on {node.name} have addresses", not lacking, what)
        if scope.cluster.pools is not None:
            enabled = [
                pool.cidr
                for pool in scope.cluster.pools
                if not pool.disabled and ipaddress.ip_network(pool.cidr).version == int(family[-1])
            ]
            what = f"pool {', '.join(enabled)}" if enabled else f"found no enabled {family} pool, expected one"
            yield _address_probe(family, "cluster", "pool", "Calico has a pool to give from", bool(enabled), what)


def _address_probe(family: str, source: str, what: str, title: str, ok: bool, detail: str) -> Probe:
    return Probe(
        id=f"addresses/{family}/{source}/{what}",
        group="addresses",
        title=title,
        family=family,
        source=source,
        target=what,
        runner="",
        action=Known(ok, detail),
    )


def host_host(scope: Scope) -> Iterator[Probe]:
    """From every host to the node address of every other."""
    for family in FAMILIES:
        for one, other in pairs(scope.cluster):
            action, address = _to_host(scope, other, family, "/hostname")
            yield Probe(
                id=f"host-host/{family}/{one.name}/{other.name}",
                group="host-host",
                title=f"host {one.name} to host {other.name}",
                family=family,
                source=one.name,
                target=other.name,
                runner=f"{HOST}/{one.name}",
                action=action,
                address=address,
            )


def _to_host(scope: Scope, node: Node, family: str, path: str, like: Fetch = ANY) -> tuple[Action, str]:
    """A request to a host's agent, or why there is none."""
    agent = scope.agent(HOST, node.name)
    address = node.addresses.get(family, "")
    if not address:
        return missing(f"node {node.name}", family), ""
    if not agent.running:
        return Known(False, f"not tried: {agent.runner} does not run: {agent.reason}"), address
    return replace(like, url=url(address, scope.host_port, path)), address


def _to_pod(agent: Agent, family: str, path: str, like: Fetch = ANY) -> tuple[Action, str]:
    """A request to a pod, or why there is none."""
    address = agent.addresses.get(family, "")
    if not agent.running:
        return Known(False, f"not tried: {agent.runner} does not run: {agent.reason}"), address
    if not address:
        return missing(f"pod {agent.name}", family), ""
    return replace(like, url=url(address, POD_PORT, path)), address


def pod_pod(scope: Scope) -> Iterator[Probe]:
    """From a pod on every node to a pod on every node; on the same node to a second pod there."""
    for family in FAMILIES:
        for one in scope.cluster.nodes:
            for other in scope.cluster.nodes:
                agent = scope.agent(PEER if one is other else POD, other.name)
                action, address = _to_pod(agent, family, "/hostname", replace(ANY, bodies=frozenset({agent.name})))
                where = f"to another pod on {one.name}" if one is other else f"to pod on {other.name}"
                yield Probe(
                    id=f"pod-pod/{family}/{one.name}/{other.name}",
                    group="pod-pod",
                    title=f"pod on {one.name} {where}",
                    family=family,
                    source=one.name,
                    target=other.name,
                    runner=f"{POD}/{one.name}",
                    action=action,
                    address=address,
                )


def cluster_ip(scope: Scope) -> Iterator[Probe]:
    """Every Service has addresses of exactly its families, and pods and hosts on every node reach each of them."""
    backends = scope.backends()
    for family in FAMILIES:
        for name, (_, wanted) in CLUSTER_IP_SERVICES.items():
            service = scope.own_service(name)
            yield Probe(
                id=f"cluster-ip/{family}/cluster/{name}",
                group="cluster-ip",
                title=f"Service {name} has {'an' if family in wanted else 'no'} {family} address",
                family=family,
                source="cluster",
                target=name,
                runner="",
                action=_service_families(service, family, family in wanted),
                address=service.addresses.get(family, ""),
            )
            if family not in wanted:
                continue
            for node in scope.cluster.nodes:
                for kind in (POD, HOST):
                    address = service.addresses.get(family, "")
                    action: Action = missing(f"Service {name}", family)
                    if address:
                        action = scope.nobody() or Fetch(url(address, SERVICE_PORT, "/hostname"), bodies=backends)
                    yield Probe(
                        id=f"cluster-ip/{family}/{node.name}/{kind}/{name}",
                        group="cluster-ip",
                        title=f"{kind} {'on ' if kind == POD else ''}{node.name} to Service {name}",
                        family=family,
                        source=node.name,
                        target=name,
                        runner=f"{kind}/{node.name}",
                        action=action,
                        address=address,
                    )


def _service_families(service: Service, family: str, wanted: bool) -> Known:
    address = service.addresses.get(family)
    if service.problem:
        return Known(not wanted, f"not created: {service.problem}")
    if wanted:
        return Known(bool(address), f"ClusterIP {address}" if address else f"found no {family} ClusterIP, expected one")
    return Known(not address, f"found ClusterIP {address}, expected none" if address else "none, as asked for")


def node_port(scope: Scope) -> Iterator[Probe | Skip]:
    """From outside to the NodePort on every node, and from every host to that on every other."""
    service = scope.own_service(NODE_PORT_SERVICE)
    ports = [port for _, _, port in service.ports if port]
    sources = [(None, node) for node in scope.cluster.nodes] if scope.outside else []
    if not scope.outside:
        yield Skip("node-port", "from outside: no place outside is given (option outside); probed between hosts")
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
            yield Probe(
                id=f"node-port/{family}/{source}/{other.name}",
                group="node-port",
                title=f"{'host ' + source if one else 'outside'} to NodePort on {other.name}",
                family=family,
                source=source,
                target=other.name,
                runner=f"{HOST}/{source}" if one else OUTSIDE,
                action=action,
                address=address,
            )


def headless(scope: Scope) -> Iterator[Probe]:
    """The name of a headless Service stands for every pod behind it, by the pod's own resolver."""
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
                yield Probe(
                    id=f"headless/{family}/{node.name}/{what}",
                    group="headless",
                    title=f"pod on {node.name}: headless Service, {what}",
                    family=family,
                    source=node.name,
                    target=HEADLESS_SERVICE,
                    runner=f"{POD}/{node.name}",
                    action=action,
                    address=name,
                )


def dns(scope: Scope) -> Iterator[Probe | Skip]:
    """A and AAAA, asked over each family's transport. family: that of the transport, not of the record."""
    server = scope.cluster.services.get("kube-system/kube-dns")
    if server is None:
        yield Skip("dns", "the cluster has no Service kube-system/kube-dns")
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
                    yield Probe(
                        id=f"dns/{family}/{node.name}/{name}/{kind}",
                        group="dns",
                        title=f"pod on {node.name}: {kind} of {name} over {family}",
                        family=family,
                        source=node.name,
                        target=name,
                        runner=f"{POD}/{node.name}",
                        action=action,
                        address=address,
                    )


def api_server(scope: Scope) -> Iterator[Probe | Skip]:
    """Pods reach the API with their own token: by its Service (one family only) and by every control plane."""
    service = scope.cluster.services["default/kubernetes"]
    if not scope.cluster.control_plane:
        for family in FAMILIES:
            if family not in service.addresses:
                yield Skip("api-server", f"{family}: no control plane node, and the API's Service has no such address")
    for family in FAMILIES:
        for node in scope.cluster.nodes:
            targets = {}
            if family in service.addresses:
                targets["kubernetes"] = url(service.addresses[family], service.ports[0][1], API_PATH, "https")
            for other in scope.cluster.control_plane:
                address = other.addresses.get(family, "")
                targets[other.name] = url(address, scope.cluster.api_port, API_PATH, "https") if address else ""
            for target, where in targets.items():
                action: Action = missing(f"node {target}", family)
                if where:
                    action = Fetch(where, verify=False, token=True)
                yield Probe(
                    id=f"api-server/{family}/{node.name}/{target}",
                    group="api-server",
                    title=f"pod on {node.name} to API server by {target}",
                    family=family,
                    source=node.name,
                    target=target,
                    runner=f"{POD}/{node.name}",
                    action=action,
                    address=where,
                )


def certificate(scope: Scope) -> Iterator[Probe | Skip]:
    """The API server's certificate is valid for every address of every control plane, and for every promised name.

    Addresses are tried from every host; names, which need no route of their own, on the control plane itself by
    connecting to its address of the family and asking for the name.
    """
    if not scope.cluster.control_plane:
        yield Skip("certificate", "no node carries the API server")
    for family in FAMILIES:
        for control_plane in scope.cluster.control_plane:
            address = control_plane.addresses.get(family, "")
            for node in scope.cluster.nodes:
                where = url(address, scope.cluster.api_port, API_PATH, "https") if address else ""
                yield _certificate_probe(
                    family, node, control_plane, control_plane.name, Fetch(where) if where else None
                )
            for name in scope.cluster.certificate_names:
                if is_address(name) and family_of(name) != family:
                    continue
                via = endpoint(address, scope.cluster.api_port) if address else ""
                where = url(name, scope.cluster.api_port, API_PATH, "https")
                fetch = Fetch(where, connect_to=via) if via else None
                yield _certificate_probe(family, control_plane, control_plane, name, fetch)


def _certificate_probe(family: str, node: Node, control_plane: Node, name: str, fetch: Fetch | None) -> Probe:
    # Names may hold colons (IPv6 literals); the id needs no other escape.
    special = "" if name == control_plane.name and not (fetch and fetch.connect_to) else f"/{name}"
    return Probe(
        id=f"certificate/{family}/{node.name}/{control_plane.name}{special}",
        group="certificate",
        title=f"host {node.name}: certificate of {control_plane.name} for {name if special else 'its address'}",
        family=family,
        source=node.name,
        target=control_plane.name,
        runner=f"{HOST}/{node.name}",
        action=fetch or missing(f"node {control_plane.name}", family),
        address=name if special else control_plane.addresses.get(family, ""),
    )


def egress(scope: Scope) -> Iterator[Probe | Skip]:
    """What leaves the pod network carries the address of the node that it left."""
    outside = scope.outside if scope.outside and scope.outside.addresses else None
    if outside is None:
        yield Skip("egress", "to outside: no listener is given (option outside_addresses); probed to other hosts")
    if len(scope.cluster.nodes) < 2 and outside is None:
        yield Skip("egress", "a single node has no other host to be seen by")
    for family in FAMILIES:
        for one in scope.cluster.nodes:
            own = one.addresses.get(family, "")
            as_node = replace(ANY, source=True, bodies=frozenset({str(ipaddress.ip_address(own))} if own else ()))
            targets: dict[str, tuple[Action, str]] = {}
            for other in scope.cluster.nodes:
                if other is not one:
                    targets[other.name] = _to_host(scope, other, family, "/clientip", as_node)
            if outside:
                address = outside.addresses[family]
                targets[OUTSIDE] = replace(as_node, url=url(address, outside.port, "/")), address
            for target, (action, address) in targets.items():
                yield Probe(
                    id=f"egress/{family}/{one.name}/{target}",
                    group="egress",
                    title=f"pod on {one.name} leaves for {target} as its node",
                    family=family,
                    source=one.name,
                    target=target,
                    runner=f"{POD}/{one.name}",
                    action=action if own else missing(f"node {one.name}", family),
                    address=address,
                )


def large_packet(scope: Scope) -> Iterator[Probe | Skip]:
    """Transfers of many full-size packets both ways, and one packet as large as the link that must not be split."""
    if len(scope.cluster.nodes) < 2:
        yield Skip("large-packet", "a single node has no path to another")
    for family in FAMILIES:
        for one, other in pairs(scope.cluster):
            for kind in (POD, HOST):
                if kind == POD:
                    transfer, address = _to_pod(scope.agent(POD, other.name), family, "/echo", LARGE)
                else:
                    transfer, address = _to_host(scope, other, family, "/echo", LARGE)
                ping: Action = Ping(address, own_mtu=kind == POD) if isinstance(transfer, Fetch) else transfer
                for what, action in (("transfer", transfer), ("ping", ping)):
                    yield Probe(
                        id=f"large-packet/{family}/{one.name}/{other.name}/{kind}-{what}",
                        group="large-packet",
                        title=f"{kind} {'on ' if kind == POD else ''}{one.name} to {other.name}, full-size {what}",
                        family=family,
                        source=one.name,
                        target=other.name,
                        runner=f"{kind}/{one.name}",
                        action=action,
                        address=address,
                    )


def kube_proxy(scope: Scope) -> Iterator[Probe | Skip]:
    """kube-proxy says which mode it runs, and the kernel's tables agree."""
    if scope.proxy_mode not in ("ipvs", "nftables"):
        found = scope.proxy_mode or "none"
        yield Skip("kube-proxy", f"no mode to compare with: found {found} in ConfigMap kube-system/kube-proxy")
        return
    names = [f"{scope.namespace}/{name}" for name in (*CLUSTER_IP_SERVICES, NODE_PORT_SERVICE)]
    for family in FAMILIES:
        for node in scope.cluster.nodes:
            mode = Fetch(f"http://{scope.cluster.proxy_metrics}/proxyMode", bodies=frozenset({scope.proxy_mode}))
            yield _proxy_probe(family, node, "mode", f"mode is {scope.proxy_mode}", mode)
            if scope.proxy_mode == "nftables":
                yield _proxy_probe(family, node, "ipvs", "nothing of IPVS is left", NoServers(family))
                continue
            for name in ["default/kubernetes", "kube-system/kube-dns", *names]:
                service = scope.cluster.services.get(name)
                if service is None or not _wants(name, family, service):
                    continue
                table = ipvs_entries(service, family, node.addresses.get(family, ""))
                action: Action = Servers(table) if table else missing(f"Service {name}", family)
                yield _proxy_probe(family, node, name.replace("/", "-"), f"real servers of {name}", action)


def _wants(name: str, family: str, service: Service) -> bool:
    """Whether a Service should have IPVS entries of a family."""
    own = name.rpartition("/")[2]
    if own in CLUSTER_IP_SERVICES:
        return family in CLUSTER_IP_SERVICES[own][1]
    return name != "default/kubernetes" or family in service.addresses


def ipvs_entries(service: Service, family: str, node_address: str) -> Mapping[str, frozenset[str]]:
    """Entries and real servers that kube-proxy must have made for a Service on a node, empty without an address."""
    entries: dict[str, frozenset[str]] = {}
    address = service.addresses.get(family)
    if not address:
        return entries
    for protocol, port, node_port_number in service.ports:
        servers = service.servers.get((family, protocol, port), frozenset())
        entries[f"{protocol} {endpoint(address, port)}"] = servers
        if node_port_number and node_address:
            entries[f"{protocol} {endpoint(node_address, node_port_number)}"] = servers
    return entries


def _proxy_probe(family: str, node: Node, what: str, title: str, action: Action) -> Probe:
    return Probe(
        id=f"kube-proxy/{family}/{node.name}/{what}",
        group="kube-proxy",
        title=f"kube-proxy on {node.name}: {title}",
        family=family,
        source=node.name,
        target=what,
        runner=f"{HOST}/{node.name}",
        action=action,
        address=what,
    )
