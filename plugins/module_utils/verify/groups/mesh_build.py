"""Proxies are of the build that their control plane injects. After a change in place earlier ones serve on, unseen.

The verification's own pods are new, so nothing else shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Known, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "mesh-build"
SHOWN = 5  # proxies that a detail names


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """What the API alone shows, so every probe has its outcome already. A proxy serves both families."""
    cluster = scope.cluster
    if not cluster.mesh_revision:
        return
    if not any(cluster.builds.values()):
        yield Skip(ID, "no control plane's ConfigMap istio-sidecar-injector names the proxy's image")
        return
    for family in FAMILIES:
        for node in cluster.nodes:
            here = [proxy for proxy in cluster.proxies if proxy.node == node.name]
            old = [f"{proxy.pod}: {proxy.fault}" for proxy in here if proxy.fault]
            detail = f"{len(here)} of the build that their control plane injects"
            if old:
                more = "; …" if len(old) > SHOWN else ""
                detail = f"{len(old)} of another build than their control plane injects: {'; '.join(old[:SHOWN])}{more}"
            title = f"proxies on {node.name} are of their control plane's build"
            yield make_probe(ID, family, node.name, "proxies", title, Known(not old, detail))


def next_command(probe: Probe, verdict: Verdict) -> str:
    """Renew tenants' proxies; others' are their own to renew."""
    return "ansible-playbook playbooks/mesh.yml, for tenants; kubectl -n NAMESPACE rollout restart WORKLOAD, for others"


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.FIRST,
    plan=plan,
    next_command=next_command,
    agents=False,
    document=Document(
        source="the API",
        target="proxies of all pods on every node",
        passes="each runs the image that the control plane of its revision injects now, whatever its variant; one "
        "whose owner names the image (`sidecar.istio.io/proxyImage`) counts as right. The same in both families, "
        "because a proxy serves both",
    ),
)
