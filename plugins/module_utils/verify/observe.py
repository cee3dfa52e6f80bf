"""From the API's JSON to a `Cluster`. Pure: everything comes in as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import CERTIFICATE_HOST, ISTIO_PROXY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, by_family, endpoint, is_address
from ansible_collections.twinstack.core.plugins.module_utils.istio.builds import outdated
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import revision_of
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    HOST,
    MESH,
    PEER,
    POD,
    Agent,
    Cluster,
    Node,
    Pool,
    Proxy,
    Service,
    TenantGateway,
    Workload,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    CONTROL_PLANE_LABEL,
    LABEL,
    mesh_namespace,
)

Json = Mapping[str, Any]

# Calico's VXLAN modes in the words of `twinstack_encapsulation`.
ENCAPSULATION = {"CrossSubnet": "VXLANCrossSubnet", "Always": "VXLAN", "Never": "None"}
# Part of an image's name -> what its tag is the version of.
IMAGE_VERSIONS = {
    "calico/node": "calico",
    "coredns": "coredns",
    "etcd": "etcd",
    "kube-proxy": "kube-proxy",
    "pilot": "istio",
}
KUBE_PROXY_METRICS = "127.0.0.1:10249"  # kube-proxy: --metrics-bind-address without a value, bound to IPv4


def parse_node(item: Json) -> Node:
    """A node with its InternalIP per family."""
    status = item.get("status", {})
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in status.get("conditions", []))
    internal = [entry["address"] for entry in status.get("addresses", []) if entry["type"] == "InternalIP"]
    return Node(
        name=item["metadata"]["name"],
        control_plane=CONTROL_PLANE_LABEL in item["metadata"].get("labels", {}),
        ready=ready,
        addresses=by_family(internal),
        pod_cidrs=tuple(item.get("spec", {}).get("podCIDRs", [])),
    )


def pod_addresses(item: Json) -> dict[str, str]:
    """A pod's address per family."""
    return by_family([entry["ip"] for entry in item.get("status", {}).get("podIPs", []) if entry.get("ip")])


def waiting_reason(item: Json, events: Iterable[Json] = ()) -> str:
    """Why a pod does not run: its container's or scheduler's reason, else its last warning event, else its phase."""
    status = item.get("status", {})
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        state = container.get("state", {})
        waiting = state.get("waiting") or state.get("terminated") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing", "Completed"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    warnings = [
        event
        for event in events
        if event.get("involvedObject", {}).get("name") == item["metadata"]["name"] and event.get("type") == "Warning"
    ]
    if warnings:
        last = max(warnings, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return f"{last.get('reason', '')}: {last.get('message', '')}"
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return str(condition.get("message") or condition.get("reason") or "not scheduled")
    return str(status.get("phase") or "unknown")


def parse_agents(
    pods: Iterable[Json], nodes: Iterable[Node], events: Iterable[Json] = (), mesh: bool = False
) -> dict[str, Agent]:
    """The verification's own pods by runner, running or not: three kinds on a node, a fourth on workers in a mesh."""
    events = list(events)
    agents: dict[str, Agent] = {}
    for item in pods:
        kind = item["metadata"].get("labels", {}).get(LABEL, "")
        node = item.get("spec", {}).get("nodeName", "") or _wanted_node(item)
        if kind not in (POD, PEER, HOST, MESH) or not node or item["metadata"].get("deletionTimestamp"):
            continue
        containers = item.get("status", {}).get("containerStatuses", [])
        running = bool(containers) and all(container.get("ready") for container in containers)
        reason = "" if running else waiting_reason(item, events)
        space = item["metadata"].get("namespace", "")
        agent = Agent(kind, node, item["metadata"]["name"], pod_addresses(item), running, reason, space)
        agents[agent.runner] = agent
    for node_item in nodes:
        for kind in (POD, PEER, HOST, *([MESH] if mesh and not node_item.control_plane else [])):
            absent = Agent(kind, node_item.name, f"{kind} on {node_item.name}", {}, False, "it was never created")
            agents.setdefault(absent.runner, absent)
    return agents


def _wanted_node(item: Json) -> str:
    """The node that a DaemonSet's pod is meant for, before it is scheduled."""
    affinity = item.get("spec", {}).get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    for term in required.get("nodeSelectorTerms", []):
        for expression in term.get("matchFields", []):
            if expression.get("key") == "metadata.name":
                return str(expression["values"][0])
    return ""


def parse_service(item: Json, slices: Iterable[Json]) -> Service:
    """A Service with the ready endpoints of its slices (all slices of the namespace may be given)."""
    name, space = item["metadata"]["name"], item["metadata"]["namespace"]
    spec = item["spec"]
    ports = [(port.get("protocol", "TCP"), port["port"], port.get("nodePort", 0)) for port in spec.get("ports", [])]
    number = {port.get("name", ""): (port.get("protocol", "TCP"), port["port"]) for port in spec.get("ports", [])}
    servers: dict[tuple[str, str, int], frozenset[str]] = {}
    for piece in slices:
        metadata = piece["metadata"]
        if metadata["namespace"] != space or metadata.get("labels", {}).get("kubernetes.io/service-name") != name:
            continue
        ready = [
            entry["addresses"][0]
            for entry in piece.get("endpoints") or []
            if entry.get("conditions", {}).get("ready") is not False
        ]
        for port in piece.get("ports") or []:
            if port.get("name", "") not in number:
                continue
            protocol, outer = number[port.get("name", "")]
            key = (piece["addressType"], protocol, outer)
            found = frozenset(endpoint(address, port["port"]) for address in ready)
            servers[key] = servers.get(key, frozenset()) | found
    addresses = by_family([ip for ip in spec.get("clusterIPs", []) if ip != "None"])
    return Service(space, name, addresses, tuple(ports), servers)


def pods_without(pods: Iterable[Json], nodes: Iterable[Node]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(node, family) -> running pods there that lack an address of the family, as ``namespace/name``."""
    missing: dict[tuple[str, str], list[str]] = {(node.name, family): [] for node in nodes for family in FAMILIES}
    for item in pods:
        node = item.get("spec", {}).get("nodeName", "")
        if item.get("status", {}).get("phase") != "Running" or item["metadata"].get("deletionTimestamp"):
            continue
        found = pod_addresses(item)
        for family in FAMILIES:
            if family not in found and (node, family) in missing:
                missing[node, family].append(f"{item['metadata']['namespace']}/{item['metadata']['name']}")
    return {key: tuple(sorted(names)) for key, names in missing.items()}


def parse_pools(items: Iterable[Json]) -> tuple[Pool, ...]:
    """Calico's pools."""
    found = []
    for item in items:
        spec = item["spec"]
        encapsulation = ENCAPSULATION.get(spec.get("vxlanMode", "Never"), "None")
        if spec.get("ipipMode", "Never") != "Never":
            encapsulation = "IPIP"
        found.append(Pool(item["metadata"]["name"], spec["cidr"], bool(spec.get("disabled")), encapsulation))
    return tuple(found)


def parse_gateway(item: Json) -> TenantGateway:
    """A tenant's gateway from its Service, with its certificate as ``certificate``."""
    ports = {port["name"]: int(port.get("nodePort", 0)) for port in item["spec"].get("ports", [])}
    return TenantGateway(
        namespace=item["metadata"]["namespace"],
        http_port=ports.get("http", 0),
        https_port=ports.get("https", 0),
        host=(item["metadata"].get("annotations") or {}).get(CERTIFICATE_HOST, ""),
        authority=item["certificate"],
    )


def parse_workloads(services: Iterable[Json], pods: Iterable[Json]) -> tuple[Workload, ...]:
    """One running pod for each kind of pods behind each port of tenants' Services, gateways left out."""
    found: dict[tuple[str, str, str, int], Workload] = {}
    running = [
        item
        for item in pods
        if item.get("status", {}).get("phase") == "Running" and not item["metadata"].get("deletionTimestamp")
    ]
    for service in services:
        space, name = service["metadata"]["namespace"], service["metadata"]["name"]
        selector = service["spec"].get("selector") or {}
        if not selector or "istio" in selector:
            continue
        for pod in running:
            labels = pod["metadata"].get("labels", {})
            if pod["metadata"]["namespace"] != space or not selector.items() <= labels.items():
                continue
            kind = labels.get("pod-template-hash", pod["metadata"]["name"])
            for container, number in _target_ports(service, pod):
                node = pod["spec"].get("nodeName", "")
                families = tuple(service["spec"].get("ipFamilies") or FAMILIES)
                one = Workload(space, name, pod["metadata"]["name"], container, node, number, kind, families)
                found.setdefault((space, name, kind, number), one)
    return tuple(found[key] for key in sorted(found))


def _target_ports(service: Json, pod: Json) -> Iterator[tuple[str, int]]:
    """Ports of a pod's programs that a Service leads to by TCP, each with a container that can report them."""
    containers = [item for item in pod["spec"].get("containers", []) if item["name"] != ISTIO_PROXY]
    named, owner = {}, {}
    for container in containers:
        for port in container.get("ports", []):
            named[port.get("name")] = int(port["containerPort"])
            owner[int(port["containerPort"])] = container["name"]
    for port in service["spec"].get("ports", []):
        target = port.get("targetPort", port["port"])
        number = target if isinstance(target, int) else named.get(target)
        if number and containers and port.get("protocol", "TCP") == "TCP":
            yield owner.get(number, containers[0]["name"]), number


def proxy_metrics(configuration: Json | None) -> str:
    """Where kube-proxy answers /proxyMode on its own host, from its configuration file."""
    address = str((configuration or {}).get("metricsBindAddress") or KUBE_PROXY_METRICS)
    host, _, port = address.rpartition(":")
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host) + f":{port}"


def certificate_names(configuration: Json | None, domain: str) -> tuple[str, ...]:
    """Names and addresses that the API server's certificate promises, without those of a loopback.

    configuration: kubeadm's ClusterConfiguration, if the cluster has one. The in-cluster names are the ones that
    every client library uses (kubeadm: pkiutil.GetAPIServerAltNames).
    """
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}"]
    for name in ((configuration or {}).get("apiServer") or {}).get("certSANs") or []:
        if name not in ("localhost", "127.0.0.1", "::1") and name not in names:
            names.append(name)
    return tuple(names)


def component_versions(version: str, nodes: Iterable[Json], pods: Iterable[Json]) -> dict[str, str]:
    """Versions that run: the API server's, the nodes' and those that image tags name; mixed ones joined by comma."""
    found: dict[str, set[str]] = {"kubernetes": {version}}
    for node in nodes:
        info = node.get("status", {}).get("nodeInfo", {})
        for key, name in (("kubeletVersion", "kubelet"), ("kernelVersion", "kernel"), ("osImage", "os")):
            if info.get(key):
                found.setdefault(name, set()).add(info[key])
        runtime = re.match(r"(\w+)://(\S+)", info.get("containerRuntimeVersion", ""))
        if runtime:
            found.setdefault(runtime[1], set()).add(runtime[2])
    for pod in pods:
        for container in pod.get("spec", {}).get("containers", []):
            image, _, tag = container.get("image", "").rpartition(":")
            for part, name in IMAGE_VERSIONS.items():
                if image.endswith("/" + part) and "@" not in image:
                    found.setdefault(name, set()).add(tag)
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def images(pods: Iterable[Json]) -> dict[str, str]:
    """Digest by name of every image that a container runs, as the container runtime reports both."""
    found: dict[str, str] = {}
    for pod in pods:
        status = pod.get("status", {})
        for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
            digest = re.search(r"sha256:[0-9a-f]{64}$", container.get("imageID", ""))
            if digest:
                found[container["image"]] = digest[0]
    return dict(sorted(found.items()))


def parse_proxies(pods: Iterable[Json], builds: Mapping[str, str]) -> tuple[Proxy, ...]:
    """Proxies of all pods on nodes. builds: image by revision of every control plane, empty = not known."""
    found = []
    for item in pods:
        revision, node = revision_of(item), item.get("spec", {}).get("nodeName", "")
        if not revision or not node or item["metadata"].get("deletionTimestamp"):
            continue
        fault = outdated(item, builds)
        if revision not in builds:
            fault = f"found revision {revision}, expected one with a control plane"
        found.append(Proxy(f"{item['metadata']['namespace']}/{item['metadata']['name']}", node, fault))
    return tuple(sorted(found, key=lambda proxy: proxy.pod))


def observe(raw: Json) -> Cluster:
    """Everything together.

    raw: ``name``, ``version``, ``nodes``, ``pods`` (of all namespaces), ``services`` and ``slices`` of the namespaces
    default, kube-system and the verification's own, ``problems`` (Service name -> the API's refusal), ``events`` of
    the own namespaces, ``tenant_services`` (all of tenants' namespaces),
    ``namespace``, ``mesh_revision`` (empty without a mesh), ``builds`` (image by revision), ``kubeadm`` and
    ``kube_proxy`` (configurations or None), ``gateways`` (Services of tenants' gateways), ``pools`` (list or None
    without Calico), ``service_cidrs``.
    """
    nodes = tuple(sorted((parse_node(item) for item in raw["nodes"]), key=lambda node: node.name))
    spaces = (raw["namespace"], mesh_namespace(raw["namespace"]))
    own = [item for item in raw["pods"] if item["metadata"]["namespace"] in spaces]
    domain = str(((raw["kubeadm"] or {}).get("networking") or {}).get("dnsDomain") or "cluster.local")
    services = {}
    for item in raw["services"]:
        service = parse_service(item, raw["slices"])
        services[f"{service.namespace}/{service.name}"] = service
    for name, problem in raw["problems"].items():
        services[f"{raw['namespace']}/{name}"] = Service(raw["namespace"], name, problem=problem)
    backends = services["default/kubernetes"].servers.values()
    ports = {int(server.rpartition(":")[2]) for servers in backends for server in servers}
    return Cluster(
        name=raw["name"],
        version=raw["version"],
        domain=domain,
        nodes=nodes,
        agents=parse_agents(own, nodes, raw["events"], bool(raw.get("mesh_revision"))),
        services=services,
        api_port=min(ports) if ports else 6443,
        certificate_names=tuple(
            name
            for name in certificate_names(raw["kubeadm"], domain)
            if not (is_address(name) and any(name in node.addresses.values() for node in nodes))
        ),
        proxy_mode=str((raw["kube_proxy"] or {}).get("mode") or ""),
        proxy_metrics=proxy_metrics(raw["kube_proxy"]),
        pools=None if raw["pools"] is None else parse_pools(raw["pools"]),
        service_cidrs=tuple(raw["service_cidrs"]),
        pods_without=pods_without(raw["pods"], nodes),
        versions=component_versions(raw["version"], raw["nodes"], raw["pods"]),
        images=images(raw["pods"]),
        mesh_revision=raw.get("mesh_revision", ""),
        builds=raw.get("builds", {}),
        proxies=parse_proxies(raw["pods"], raw.get("builds", {})),
        gateways=tuple(parse_gateway(item) for item in raw.get("gateways", [])),
        workloads=parse_workloads(raw.get("tenant_services", []), raw["pods"]),
    )
