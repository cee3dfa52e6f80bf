"""The API server's certificate is valid for every address of every control plane, and for every promised name.

Addresses are tried from every host; names, which need no route of their own, on the control plane itself by connecting
to its address of the family and requesting the name.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, endpoint, family_of, is_address
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import HOST, Fetch, Node, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import API_PATH, make_probe, missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "certificate"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """TLS by every address, then by every name."""
    if not scope.cluster.control_plane:
        yield Skip(ID, "no node carries the API server")
    for family in FAMILIES:
        for control_plane in scope.cluster.control_plane:
            address = control_plane.addresses.get(family, "")
            for node in scope.cluster.nodes:
                fetch = Fetch(url(address, scope.cluster.api_port, API_PATH, "https")) if address else None
                yield _tls(family, node, control_plane, control_plane.name, fetch)
            for name in scope.cluster.certificate_names:
                if is_address(name) and family_of(name) != family:
                    continue
                via = endpoint(address, scope.cluster.api_port) if address else ""
                where = url(name, scope.cluster.api_port, API_PATH, "https")
                fetch = Fetch(where, connect_to=via) if via else None
                yield _tls(family, control_plane, control_plane, name, fetch)


def _tls(family: str, node: Node, control_plane: Node, name: str, fetch: Fetch | None) -> Probe:
    # Names may hold colons (IPv6 literals); the id needs no other escape.
    special = "" if name == control_plane.name and not (fetch and fetch.connect_to) else f"/{name}"
    return make_probe(
        ID,
        family,
        node.name,
        control_plane.name,
        f"host {node.name}: certificate of {control_plane.name} for {name if special else 'its address'}",
        fetch or missing(f"node {control_plane.name}", family),
        runner=f"{HOST}/{node.name}",
        address=name if special else control_plane.addresses.get(family, ""),
        name=f"{control_plane.name}{special}",
    )


def next_command(probe: Probe, verdict: Verdict) -> str:
    """What the certificate is good for."""
    return f"on {probe.target}: openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="every host; the control plane itself for names",
        target="every control plane's address; the in-cluster names; every name and address in kubeadm's `certSANs`",
        passes="TLS is verified against the cluster's CA for exactly that name or address",
    ),
)
