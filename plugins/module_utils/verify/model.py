"""The words of the verification: what a cluster looks like to it, probes and their outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES

POD = "pod"
PEER = "peer"
HOST = "host"
MESH = "mesh"
TENANT = "tenant"  # a runner: tenant/NAMESPACE/POD/CONTAINER
GATEWAY = "gateway"
OUTSIDE = "outside"


@dataclass(frozen=True)
class Node:
    """A node as the API shows it. addresses: InternalIP per family; absent families are absent keys."""

    name: str
    control_plane: bool
    ready: bool
    addresses: Mapping[str, str]
    pod_cidrs: tuple[str, ...]


@dataclass(frozen=True)
class Agent:
    """One of the verification's own pods. kind: ``pod``, ``peer``, ``host`` or ``mesh``; reason: why it does not run.

    namespace: where it lives; empty = the verification's first one.
    """

    kind: str
    node: str
    name: str
    addresses: Mapping[str, str]
    running: bool
    reason: str = ""
    namespace: str = ""

    @property
    def runner(self) -> str:
        """The name under which batches are addressed to it."""
        return f"{self.kind}/{self.node}"


@dataclass(frozen=True)
class Service:
    """A Service. addresses: ClusterIP per family.

    ports: (protocol, port, node port or 0) in order; servers: per family and (protocol, port) the ready endpoints in
    the spelling of `endpoint`. problem: what the API said when the Service could not be created.
    """

    namespace: str
    name: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[tuple[str, int, int], ...] = ()
    servers: Mapping[tuple[str, str, int], frozenset[str]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Pool:
    """A Calico IP pool."""

    name: str
    cidr: str
    disabled: bool
    encapsulation: str


@dataclass(frozen=True)
class TenantGateway:
    """A tenant's gateway by its node ports, 0 = none. host: a name that its certificate is good for; authority: PEM."""

    namespace: str
    http_port: int
    https_port: int
    host: str = ""
    authority: str = ""


@dataclass(frozen=True)
class Workload:
    """One pod of a tenant's Service, for all that are made alike.

    port: that the Service leads to in it; kind: what all of its like have in common; families: those of the Service.
    """

    namespace: str
    service: str
    pod: str
    container: str
    node: str
    port: int
    kind: str
    families: tuple[str, ...]


@dataclass(frozen=True)
class Proxy:
    """A pod's proxy. pod: with its namespace; fault: how its build differs from what its control plane injects."""

    pod: str
    node: str
    fault: str = ""


@dataclass(frozen=True)
class Cluster:
    """What the API says about a cluster. Services are keyed by ``namespace/name``, agents by runner."""

    name: str
    version: str
    domain: str
    nodes: tuple[Node, ...]
    agents: Mapping[str, Agent]
    services: Mapping[str, Service]
    api_port: int
    certificate_names: tuple[str, ...]
    proxy_mode: str
    proxy_metrics: str
    pools: tuple[Pool, ...] | None
    service_cidrs: tuple[str, ...]
    pods_without: Mapping[tuple[str, str], tuple[str, ...]]
    versions: Mapping[str, str] = field(default_factory=dict)
    gateways: tuple[TenantGateway, ...] = ()
    workloads: tuple[Workload, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)  # of running containers: digest by name
    mesh_revision: str = ""  # of the mesh whose proxies the mesh agents got; empty = no mesh is probed
    builds: Mapping[str, str] = field(default_factory=dict)  # image that each control plane injects; empty = not known
    proxies: tuple[Proxy, ...] = ()

    @property
    def control_plane(self) -> tuple[Node, ...]:
        """Nodes that carry the API server."""
        return tuple(node for node in self.nodes if node.control_plane)

    @property
    def primary_family(self) -> str:
        """The family of the API's own Service, which is the cluster's first one."""
        addresses = self.services["default/kubernetes"].addresses
        return next(iter(addresses), FAMILIES[0])


@dataclass(frozen=True)
class Outside:
    """A place outside the cluster. addresses and port: its listener; without them only requests come from there."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    port: int = 0


# --- what a probe does ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Nothing to run: the API's answer already decides."""

    ok: bool
    detail: str


@dataclass(frozen=True)
class Fetch:
    """One HTTP request by curl. bodies: accepted answers, empty = any; source: compare only the answer's address.

    family: which family a host name is resolved in; connect_to: ``host:port`` to really connect to.
    contains: texts that must be in the answer, its headers included when headers is true.
    refused: the other side must break the connection off instead of answering. codes: accepted HTTP statuses.
    send: more headers; authority: PEM text of who signed the other side's certificate, empty = the cluster's CA.
    export: the request is an empty one to a collector of traces (OTLP by gRPC).
    patient: wait long, because a request that is given up and sent again would be counted twice.
    """

    url: str
    family: str = ""
    bodies: frozenset[str] = frozenset()
    source: bool = False
    large: bool = False
    verify: bool = True
    token: bool = False
    connect_to: str = ""
    contains: tuple[str, ...] = ()
    headers: bool = False
    refused: bool = False
    codes: frozenset[int] = frozenset({200})
    send: tuple[str, ...] = ()
    authority: str = ""
    patient: bool = False
    export: bool = False


@dataclass(frozen=True)
class Query:
    """One DNS question. server: empty = those of /etc/resolv.conf in order; answers: the exact set expected."""

    server: str
    kind: str
    name: str
    answers: frozenset[str]


@dataclass(frozen=True)
class Ping:
    """One echo request as large as the link's MTU, not to be fragmented. own_mtu: the MTU is that of eth0."""

    address: str
    own_mtu: bool


@dataclass(frozen=True)
class Servers:
    """IPVS entries: ``TCP 10.96.0.1:443`` with exactly these real servers (spelling of `endpoint`)."""

    table: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class NoServers:
    """No IPVS entry of a family is left: another mode is in force."""

    family: str


@dataclass(frozen=True)
class Redirects:
    """The network namespace's own packet filter sends TCP of a family, in and out, to the proxy."""

    family: str


@dataclass(frozen=True)
class Listens:
    """A program in the pod's network listens on the port in a family."""

    family: str
    port: int


Action = Known | Fetch | Query | Ping | Servers | NoServers | Redirects | Listens


@dataclass(frozen=True)
class Probe:
    """One thing to verify. runner: where it runs (``pod/cp1``, ``host/cp1``, ``outside``); address: what is probed."""

    id: str
    group: str
    title: str
    family: str
    source: str
    target: str
    runner: str
    action: Action
    address: str = ""


@dataclass(frozen=True)
class Verdict:
    """How a probe ended. skip: it could not be tried at all with the tools at hand."""

    ok: bool
    detail: str
    milliseconds: float | None = None
    skip: bool = False
