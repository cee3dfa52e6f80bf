"""Objects of the scenarios' fixtures: a service outside the mesh, fortio, and a route broken on purpose. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import DEMO_PORT
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import RESTRICTED
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio

NAMESPACE = "twinstack-demo"
PLAIN = "plain"
BROKEN_ROUTE = "twinstack-broken"
BROKEN_PATH = "/broken"
LABEL = "twinstack.core/demo"
SERVICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dual": ("RequireDualStack", FAMILIES),
    "only-ipv4": ("SingleStack", ("IPv4",)),
    "only-ipv6": ("SingleStack", ("IPv6",)),
}

Object = dict[str, Any]


def objects(demo_image: str, fortio_image: str) -> list[Object]:
    """The namespace with everything in it. Nothing in it is in the mesh, and nothing needs a privilege."""
    space, pod = fortio.objects(NAMESPACE, fortio_image)
    space["metadata"]["labels"] = {LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    labels = {"app": PLAIN}
    plain = {
        "name": PLAIN,
        "image": demo_image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "SERVICE", "value": PLAIN}, {"name": "VERSION", "value": "outside"}],
        "ports": [{"containerPort": DEMO_PORT}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": DEMO_PORT}, "periodSeconds": 1},
        "securityContext": RESTRICTED | {"runAsUser": fortio.NOBODY},
    }
    spec = {"containers": [plain], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}
    found = [
        space,
        pod,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": PLAIN, "namespace": NAMESPACE, "labels": labels},
            "spec": spec,
        },
    ]
    for name, (policy, families) in SERVICES.items():
        found.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {
                    "selector": labels,
                    "ipFamilyPolicy": policy,
                    "ipFamilies": list(families),
                    "ports": [{"name": "http", "port": 80, "targetPort": DEMO_PORT, "protocol": "TCP"}],
                },
            }
        )
    return found


def broken_route(tenant: str, gateway: str = "gateway") -> Object:
    """A route of a tenant to a host that there is not: a short name, which is one of the tenant's own Services."""
    destination = {"host": "nowhere", "port": {"number": 80}}
    rule = {"match": [{"uri": {"prefix": BROKEN_PATH}}], "route": [{"destination": destination}]}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": BROKEN_ROUTE, "namespace": tenant, "labels": {LABEL: "true"}},
        "spec": {"hosts": ["*"], "gateways": [gateway], "exportTo": ["."], "http": [rule]},
    }
