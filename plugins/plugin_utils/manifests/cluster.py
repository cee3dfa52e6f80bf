"""One cluster's settings as typed data, and every document that follows from them.

The roles hand their settings over as one mapping (`__twinstack_cluster`); what comes back is plain data that a
template or a module only prints or sends.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAMILIES = ("ipv4", "ipv6")
# The tenth address of a service network is what kubeadm gives the DNS service (kubeadm: constants.GetDNSIP).
DNS_ADDRESS_OFFSET = 10
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
# Bytes that a VXLAN header takes per family of the outer packet: 50 over IPv4, 70 over IPv6.
VXLAN_OVERHEAD = {"ipv4": 50, "ipv6": 70}


@dataclass(frozen=True)
class Node:
    """One host with its address in each family."""

    name: str
    ipv4: str
    ipv6: str

    def address(self, family: str) -> str:
        """The address of a family, ``ipv4`` or ``ipv6``."""
        return {"ipv4": self.ipv4, "ipv6": self.ipv6}[family]


@dataclass(frozen=True)
class Cluster:
    """Settings of one cluster; networks are text in CIDR form, keyed by family; periods are seconds."""

    name: str
    domain: str
    primary_family: str
    pod_cidr: Mapping[str, str]
    service_cidr: Mapping[str, str]
    node_mask: Mapping[str, int]
    proxy_mode: str
    ipvs_min_sync_period: int
    encapsulation: str
    mtu: int
    versions: Mapping[str, str]
    api_name: str
    api_port: int
    control_plane: tuple[Node, ...]
    worker: tuple[Node, ...]

    @property
    def families(self) -> tuple[str, str]:
        """Both families, the primary one first: the order of every dual list in Kubernetes."""
        return ("ipv4", "ipv6") if self.primary_family == "ipv4" else ("ipv6", "ipv4")

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All hosts, control plane first."""
        return self.control_plane + self.worker

    def dns_address(self, family: str) -> str:
        """The fixed address of cluster DNS in a family."""
        return str(ipaddress.ip_network(self.service_cidr[family])[DNS_ADDRESS_OFFSET])

    def api_service_address(self, family: str) -> str:
        """The first address of a family's service network; only the primary family's is `kubernetes.default`."""
        return str(ipaddress.ip_network(self.service_cidr[family])[1])


def parse_cluster(data: Mapping[str, Any]) -> Cluster:
    """A Cluster from the roles' mapping.

    Raises ValueError naming the field when one is missing: an absent family is never made up.
    """

    def families(field: str, kind: type) -> dict[str, Any]:
        values = data[field]
        missing = [family for family in FAMILIES if not values.get(family)]
        if missing:
            raise ValueError(f"{field}: found nothing for {' and '.join(missing)}, expected a value for both families")
        return {family: kind(values[family]) for family in FAMILIES}

    def networks(field: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in data[field]:
            network = ipaddress.ip_network(str(text))
            found[f"ipv{network.version}"] = str(network)
        if len(found) != len(FAMILIES) or len(data[field]) != len(FAMILIES):
            raise ValueError(f"{field}: found {', '.join(map(str, data[field]))}, expected one network of each family")
        return found

    def nodes(field: str) -> tuple[Node, ...]:
        found = []
        for item in data[field]:
            missing = [family for family in FAMILIES if not item.get(family)]
            if missing:
                raise ValueError(f"{item['name']}: {' and '.join(missing)}: found nothing, expected an address")
            # One spelling for all files and arguments, whatever the inventory's.
            found.append(Node(str(item["name"]), *(str(ipaddress.ip_address(item[family])) for family in FAMILIES)))
        return tuple(found)

    if data["primary_family"] not in FAMILIES:
        raise ValueError(f"primary_family: found {data['primary_family']!r}, expected ipv4 or ipv6")
    return Cluster(
        name=str(data["name"]),
        domain=str(data["domain"]),
        primary_family=str(data["primary_family"]),
        pod_cidr=networks("pod_cidrs"),
        service_cidr=networks("service_cidrs"),
        node_mask=families("node_mask", int),
        proxy_mode=str(data["proxy_mode"]),
        ipvs_min_sync_period=int(data["ipvs_min_sync_period"]),
        encapsulation=str(data["encapsulation"]),
        mtu=int(data["mtu"]),
        versions={key: str(value) for key, value in data["versions"].items()},
        api_name=str(data["api_name"]),
        api_port=int(data["api_port"]),
        control_plane=nodes("control_plane"),
        worker=nodes("worker"),
    )


def hosts_block(cluster: Cluster) -> str:
    """Lines for /etc/hosts: every node and the API's name in both families, so that no DNS is needed."""
    lines = []
    for family in cluster.families:
        for node in cluster.nodes:
            lines.append(f"{node.address(family)} {node.name}")
        for node in cluster.control_plane:
            lines.append(f"{node.address(family)} {cluster.api_name}")
    return "\n".join(lines)


# --- kubeadm --------------------------------------------------------------------------------------------------


def endpoint(host: str, port: int) -> str:
    """host:port with IPv6 literals in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def certificate_names(cluster: Cluster) -> list[str]:
    """Every name and address under which the API server may be called, in both families."""
    names = [cluster.api_name, "localhost", "127.0.0.1", "::1"]
    for node in cluster.control_plane:
        names += [node.name, *(node.address(family) for family in cluster.families)]
    names += [cluster.api_service_address(family) for family in cluster.families]
    return names


def node_registration(cluster: Cluster, node: Node, ignore: Sequence[str]) -> dict[str, Any]:
    """How a node's kubelet registers: with its addresses of both families."""
    registration: dict[str, Any] = {
        "name": node.name,
        "criSocket": CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": [
            {"name": "node-ip", "value": ",".join(node.address(family) for family in cluster.families)}
        ],
    }
    if ignore:
        registration["ignorePreflightErrors"] = sorted(ignore)
    return registration


# Requests a second that the controllers may send, and how many at once. With their own 20 the removal of one
# small namespace, a list per kind of object, takes ten seconds; kubelet's own default for itself is 50.
CONTROLLER_PACE = [{"name": "kube-api-qps", "value": "100"}, {"name": "kube-api-burst", "value": "200"}]


def kubeadm_init(
    cluster: Cluster, node: Node, ignore: Sequence[str] = (), token_ttl: str = "15m", dns_replicas: int = 2
) -> list[dict[str, Any]]:
    """The kubeadm documents that create the cluster on its first control plane."""
    versions = cluster.versions
    version = f"v{versions['kubernetes']}"
    init = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"ttl": token_ttl, "description": "made by kubeadm init, for nobody"}],
        "localAPIEndpoint": {
            "advertiseAddress": node.address(cluster.primary_family),
            "bindPort": cluster.api_port,
        },
        "nodeRegistration": node_registration(cluster, node, ignore),
    }
    configuration = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": cluster.name,
        "kubernetesVersion": version,
        "controlPlaneEndpoint": endpoint(cluster.api_name, cluster.api_port),
        "networking": {
            "dnsDomain": cluster.domain,
            "podSubnet": ",".join(cluster.pod_cidr[family] for family in cluster.families),
            "serviceSubnet": ",".join(cluster.service_cidr[family] for family in cluster.families),
        },
        "apiServer": {"certSANs": certificate_names(cluster)},
        "controllerManager": {
            "extraArgs": [
                {"name": f"node-cidr-mask-size-{family}", "value": str(cluster.node_mask[family])}
                for family in FAMILIES
            ]
            + CONTROLLER_PACE
        },
        "dns": {"imageTag": f"v{versions['coredns']}"},
        "etcd": {"local": {"imageTag": f"{versions['etcd']}-0"}},
    }
    return [init, configuration, kubelet_configuration(cluster), kube_proxy_configuration(cluster)]


def kubelet_configuration(cluster: Cluster) -> dict[str, Any]:
    """What all kubelets share."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "clusterDNS": [cluster.dns_address(family) for family in cluster.families],
        "clusterDomain": cluster.domain,
        "rotateCertificates": True,
        "serializeImagePulls": False,
    }


def kube_proxy_configuration(cluster: Cluster) -> dict[str, Any]:
    """kube-proxy for both families in the chosen mode."""
    proxy: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": cluster.proxy_mode,
        "clusterCIDR": ",".join(cluster.pod_cidr[family] for family in cluster.families),
        "metricsBindAddress": "127.0.0.1:10249",
    }
    if cluster.proxy_mode == "ipvs":
        # Without strict ARP every node answers for every service address on its own link.
        proxy["ipvs"] = {"strictARP": True, "minSyncPeriod": f"{cluster.ipvs_min_sync_period}s"}
    return proxy


def kubeadm_join(
    cluster: Cluster, node: Node, token: str, ca_hashes: Sequence[str], ignore: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The kubeadm document that joins a worker, the cluster's CA pinned by hash."""
    return [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "apiServerEndpoint": endpoint(cluster.api_name, cluster.api_port),
                    "token": token,
                    "caCertHashes": list(ca_hashes),
                }
            },
            "nodeRegistration": node_registration(cluster, node, ignore),
        }
    ]


# --- Calico ---------------------------------------------------------------------------------------------------

CALICO_VXLAN_MODE = {"VXLANCrossSubnet": "CrossSubnet", "VXLAN": "Always", "None": "Never"}
CALICO_BLOCK_SIZE = {"ipv4": 26, "ipv6": 122}  # Calico's own defaults: 64 addresses per block in both families
FELIX_HEALTH = {"host": "127.0.0.1", "port": 9099}  # Felix' own default port
FELIX_LOOKS_SECONDS = 90  # as often as it looks at routes by default
FELIX_READY_SECONDS = 2  # a request on the loopback; what waits for Calico waits no longer than it must
FELIX_PROBES = {"livenessProbe": "/liveness", "readinessProbe": "/readiness"}


def calico_pools(cluster: Cluster) -> list[dict[str, Any]]:
    """One IP pool per family, with NAT for traffic that leaves the cluster in both."""
    return [
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": f"default-{family}-ippool"},
            "spec": {
                "cidr": cluster.pod_cidr[family],
                "blockSize": CALICO_BLOCK_SIZE[family],
                "ipipMode": "Never",
                "vxlanMode": CALICO_VXLAN_MODE[cluster.encapsulation],
                "natOutgoing": True,
                "nodeSelector": "all()",
                "allowedUses": ["Workload", "Tunnel"],
            },
        }
        for family in cluster.families
    ]


def calico_node_environment(cluster: Cluster) -> dict[str, str | None]:
    """Environment of calico-node; None removes a variable of the upstream manifest.

    The pools are objects of their own, so calico-node must not make default ones of its own idea.
    """
    backend = {"ipvs": "Auto", "nftables": "NFT"}[cluster.proxy_mode]
    return {
        "NO_DEFAULT_POOLS": "true",
        "CALICO_IPV4POOL_IPIP": None,
        "CALICO_IPV4POOL_VXLAN": None,
        "CALICO_IPV6POOL_VXLAN": None,
        "CALICO_IPV4POOL_CIDR": None,
        "IP": "autodetect",
        "IP6": "autodetect",
        "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip",
        "IP6_AUTODETECTION_METHOD": "kubernetes-internal-ip",
        "FELIX_IPV6SUPPORT": "true",
        "FELIX_IPTABLESBACKEND": backend,
        "FELIX_PROMETHEUSMETRICSENABLED": "true",  # port 9091 of every host, Felix' default
        # By default Felix reads back what it wrote after 1, 2, 4, 8 ... s, and every set of addresses each 10 s, with a
        # program for each table and set: a tenth of a small host. Both is for hosts where others write without a lock.
        "FELIX_IPTABLESPOSTWRITECHECKINTERVALSECS": str(FELIX_LOOKS_SECONDS),
        "FELIX_IPSETSREFRESHINTERVAL": str(FELIX_LOOKS_SECONDS),
        "FELIX_HEALTHENABLED": "true",
        "FELIX_HEALTHHOST": str(FELIX_HEALTH["host"]),
        "FELIX_HEALTHPORT": str(FELIX_HEALTH["port"]),
    }


def calico_cni_config(template: str) -> str:
    """The CNI configuration of upstream's ConfigMap with address assignment in both families.

    template: upstream's text; it holds placeholders such as ``__CNI_MTU__``, one of them unquoted, so it is JSON
    only after those are filled in: edited as text at its one fixed point.
    Raises ValueError when upstream's text has no such point.
    """
    marker = '"type": "calico-ipam"'
    if template.count(marker) != 1:
        raise ValueError(f"cni_network_config: found {template.count(marker)} times {marker}, expected once")
    return template.replace(marker, marker + ', "assign_ipv4": "true", "assign_ipv6": "true"')


def calico_objects(objects: Sequence[Mapping[str, Any]], cluster: Cluster) -> list[dict[str, Any]]:
    """Upstream's Calico objects turned into ours: both families, our pools' rules, our MTU.

    objects: the documents of upstream's manifest. Raises ValueError when a part that must be changed is not there,
    because a silently unpatched Calico is single-stack.
    """
    result = []
    patched: set[str] = set()
    for item in objects:
        kind, name = item["kind"], item["metadata"]["name"]
        if (kind, name) == ("ConfigMap", "calico-config"):
            data = dict(item["data"])
            data["cni_network_config"] = calico_cni_config(data["cni_network_config"])
            data["veth_mtu"] = str(cluster.mtu)
            result.append({**item, "data": data})
            patched.add("ConfigMap calico-config")
        elif (kind, name) == ("DaemonSet", "calico-node"):
            result.append(_calico_node(item, calico_node_environment(cluster)))
            patched.add("DaemonSet calico-node")
        else:
            result.append(dict(item))
    missing = {"ConfigMap calico-config", "DaemonSet calico-node"} - patched
    if missing:
        raise ValueError(f"Calico's manifest: found no {' and no '.join(sorted(missing))}")
    return [calico_api_endpoint(cluster), *result]


def calico_api_endpoint(cluster: Cluster) -> dict[str, Any]:
    """Where Calico's host-network containers find the API, by the name of upstream's optional ConfigMap.

    Not by the Service: on a fresh node Calico starts beside kube-proxy, and a connection that was tried before
    kube-proxy knew the Service hangs for up to half a minute. An address, because upstream puts it into brackets.
    """
    address = cluster.control_plane[0].address(cluster.primary_family)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubernetes-services-endpoint", "namespace": "kube-system"},
        "data": {"KUBERNETES_SERVICE_HOST": address, "KUBERNETES_SERVICE_PORT": str(cluster.api_port)},
    }


def _calico_node(workload: Mapping[str, Any], environment: Mapping[str, str | None]) -> dict[str, Any]:
    """Upstream's calico-node with these variables set (text) or removed (None), and asked for its health by HTTP.

    Upstream's probes start a program of 100 MB in the container twice in ten seconds, which asks that same page: on a
    small host an eighth of its processor. Raises ValueError when a probe that must be changed is not there.
    """
    pod = workload["spec"]["template"]["spec"]
    containers = []
    for item in pod["containers"]:
        if item["name"] == "calico-node":
            kept = [entry for entry in item["env"] if entry["name"] not in environment]
            added = [{"name": key, "value": value} for key, value in environment.items() if value is not None]
            item = {**item, "env": kept + added}
            for name, path in FELIX_PROBES.items():
                if "exec" not in item.get(name, {}):
                    raise ValueError(f"DaemonSet calico-node: found no {name} that starts a program")
                rest = {key: value for key, value in item[name].items() if key != "exec"}
                if name == "readinessProbe":
                    rest["periodSeconds"] = FELIX_READY_SECONDS
                item[name] = {**rest, "httpGet": {**FELIX_HEALTH, "path": path, "scheme": "HTTP"}}
        containers.append(item)
    template = {**workload["spec"]["template"], "spec": {**pod, "containers": containers}}
    return {**workload, "spec": {**workload["spec"], "template": template}}


# --- cluster DNS ----------------------------------------------------------------------------------------------


def dns_service(cluster: Cluster) -> dict[str, Any]:
    """The kube-dns Service with a fixed address in both families; kubeadm makes it single-stack."""
    addresses = [cluster.dns_address(family) for family in cluster.families]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {
            "clusterIP": addresses[0],
            "clusterIPs": addresses,
            "ipFamilies": [{"ipv4": "IPv4", "ipv6": "IPv6"}[family] for family in cluster.families],
            "ipFamilyPolicy": "RequireDualStack",
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": "metrics"},
            ],
        },
    }
