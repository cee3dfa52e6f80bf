"""Pods reach the API with their own token: by its Service (one family only) and by every control plane."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import POD, Action, Fetch, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import API_PATH, make_probe, missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "api-server"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """Requests from a pod on every node by all addresses of the API."""
    service = scope.cluster.services["default/kubernetes"]
    if not scope.cluster.control_plane:
        for family in FAMILIES:
            if family not in service.addresses:
                yield Skip(ID, f"{family}: no control plane node, and the API's Service has no such address")
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
                title, runner = f"pod on {node.name} to API server by {target}", f"{POD}/{node.name}"
                yield make_probe(ID, family, node.name, target, title, action, runner=runner, address=where)


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=lambda *_: (
        "kubectl get endpointslices kubernetes; kubectl -n kube-system get pods -o wide -l component=kube-apiserver"
    ),
    document=Document(
        source="a pod on every node",
        target="`kubernetes.default` in its one family; every control plane's node address in both",
        passes="HTTP 200 from `/livez` with the pod's own token. The certificate is verified by the next group",
    ),
)
