"""The objects that the verification creates in the cluster, all in one namespace of their own."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_PROXY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    GATEWAY,
    HOST,
    MESH,
    PEER,
    POD,
)

LABEL = "twinstack.core/verify"
CONTAINER = "agnhost"
POD_PORT = 8080
SERVICE_PORT = 80

# Service name -> (ipFamilyPolicy, ipFamilies). The first four are what a workload can ask for.
CLUSTER_IP_SERVICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dual-ipv4-first": ("RequireDualStack", FAMILIES),
    "dual-ipv6-first": ("RequireDualStack", FAMILIES[::-1]),
    "only-ipv4": ("SingleStack", ("IPv4",)),
    "only-ipv6": ("SingleStack", ("IPv6",)),
}
COUNTED_SERVICE, COUNTED = "counted", 40  # so many requests of each family, and not one more
NODE_PORT_SERVICE = "node-port"
HEADLESS_SERVICE = "headless"
GATEWAY_PORT = 8080  # above 1023, so that the gateway needs no privilege
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"


def namespace(name: str) -> dict[str, Any]:
    """The namespace; privileged, because the hosts' agents use their host's network."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {LABEL: "true", "pod-security.kubernetes.io/enforce": "privileged"}},
    }


def services() -> list[dict[str, Any]]:
    """All Services, with the agents of kind ``pod`` behind each."""
    result = [_service(name, policy, families) for name, (policy, families) in CLUSTER_IP_SERVICES.items()]
    result.append(_service(NODE_PORT_SERVICE, "RequireDualStack", FAMILIES, type="NodePort"))
    result.append(_service(HEADLESS_SERVICE, "RequireDualStack", FAMILIES, clusterIP="None"))
    return result


def mesh_namespace(name: str) -> str:
    """Name of the second namespace, whose pods are in the mesh. name: the verification's first one."""
    return f"{name}-mesh"


def mesh_namespace_object(name: str, revision: str) -> dict[str, Any]:
    """The namespace whose pods get a proxy of the revision."""
    found = namespace(mesh_namespace(name))
    found["metadata"]["labels"]["istio.io/rev"] = revision
    return found


def mesh_services() -> list[dict[str, Any]]:
    """Services with the pods in the mesh behind them, and that of the gateway."""
    result = [_service(name, policy, families, MESH) for name, (policy, families) in CLUSTER_IP_SERVICES.items()]
    result.append(_service(COUNTED_SERVICE, "RequireDualStack", FAMILIES, MESH))
    gateway = _service(GATEWAY, "RequireDualStack", FAMILIES, GATEWAY, type="NodePort")
    gateway["spec"]["ports"][0]["targetPort"] = GATEWAY_PORT
    return [*result, gateway]


def mesh_workloads(image: str, run: str) -> list[dict[str, Any]]:
    """A pod in the mesh on every worker, as a DaemonSet. run: their version, by which this verification's traffic is
    told from that of others.
    """
    found = _daemon_set(MESH, image, POD_PORT, False)
    found["spec"]["template"]["metadata"]["labels"] |= {"app": MESH, "version": run}
    pod = found["spec"]["template"]["spec"]
    # To read, in its own network namespace, the rules that istio-cni has made there.
    pod["containers"][0]["securityContext"] = {"capabilities": {"add": ["NET_ADMIN"]}}
    expression = {"key": CONTROL_PLANE_LABEL, "operator": "DoesNotExist"}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return [found]


def gateway_deployment() -> dict[str, Any]:
    """A gateway of the mesh's own proxy, which the injector fills in."""
    labels = {LABEL: GATEWAY}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": GATEWAY, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"inject.istio.io/templates": "gateway"}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    # Without a tag the API server would make the policy Always, which fails where images are sent.
                    "containers": [{"name": ISTIO_PROXY, "image": "auto", "imagePullPolicy": "IfNotPresent"}],
                },
            },
        },
    }


def gateway_routes() -> list[tuple[str, dict[str, Any]]]:
    """Istio's objects by the plural of their kind: all that arrives at the gateway goes to the pods in the mesh."""
    metadata = {"name": GATEWAY, "labels": {LABEL: "true"}}
    server = {"port": {"number": SERVICE_PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    host = next(iter(CLUSTER_IP_SERVICES))  # of the same namespace
    route = {"destination": {"host": host, "port": {"number": SERVICE_PORT}}}
    api = "networking.istio.io/v1"
    return [
        (
            "gateways",
            {
                "apiVersion": api,
                "kind": "Gateway",
                "metadata": metadata,
                "spec": {"selector": {LABEL: GATEWAY}, "servers": [server]},
            },
        ),
        (
            "virtualservices",
            {
                "apiVersion": api,
                "kind": "VirtualService",
                "metadata": metadata,
                "spec": {"hosts": ["*"], "gateways": [GATEWAY], "http": [{"route": [route]}]},
            },
        ),
    ]


def _service(name: str, policy: str, families: tuple[str, ...], kind: str = POD, **extra: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {LABEL: "true"}},
        "spec": {
            "selector": {LABEL: kind},
            "ipFamilyPolicy": policy,
            "ipFamilies": list(families),
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": POD_PORT, "protocol": "TCP"}],
            **extra,
        },
    }


def daemon_sets(image: str, host_port: int) -> list[dict[str, Any]]:
    """Three agents per node: a pod that probes, its neighbour on the same node, and one in the host's network.

    There are no health probes, so agents become ready however broken the network is.
    """
    return [
        _daemon_set(POD, image, POD_PORT, False),
        _daemon_set(PEER, image, POD_PORT, False),
        _daemon_set(HOST, image, host_port, True),
    ]


def _daemon_set(kind: str, image: str, port: int, host_network: bool) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": kind, "labels": {LABEL: kind}},
        "spec": {
            "selector": {"matchLabels": {LABEL: kind}},
            "template": {
                "metadata": {"labels": {LABEL: kind}},
                "spec": {
                    "hostNetwork": host_network,
                    "dnsPolicy": "Default" if host_network else "ClusterFirst",
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 1,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [
                        {
                            "name": CONTAINER,
                            "image": image,
                            "imagePullPolicy": "IfNotPresent",
                            "args": ["netexec", f"--http-port={port}", "--udp-port=-1"],
                            "ports": [{"containerPort": port, "protocol": "TCP"}],
                        }
                    ],
                },
            },
        },
    }
