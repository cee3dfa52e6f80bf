"""A tenant's program listens in the family, as distinct from a network that does not carry it.

Requests through proxies do not show it: they travel in the first family of the called pod.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import TENANT, Listens, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "tenant-listens"


def plan(scope: Scope) -> Iterator[Probe]:
    """A look at the sockets of one pod of each kind."""
    for family in FAMILIES:
        for one in scope.cluster.workloads:
            if family not in one.families:
                continue
            yield Probe(
                id=f"{ID}/{family}/{one.namespace}/{one.service}/{one.kind}/{one.port}",
                group=ID,
                title=f"{one.namespace}'s {one.pod} listens on port {one.port}",
                family=family,
                source=one.node,
                target=f"{one.namespace}/{one.service}",
                runner=f"{TENANT}/{one.namespace}/{one.pod}/{one.container}",
                action=Listens(family, one.port),
            )


def next_command(probe: Probe, verdict: Verdict) -> str:
    """What the tenant can do, and what the program says."""
    space = probe.target.partition("/")[0]
    container = " -c ".join(probe.runner.split("/")[2:])
    return f"let the program bind the address :: too; kubectl -n {space} logs {container}"


GROUP = Group(
    id=ID,
    part=Part.TENANTS,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=next_command,
    gone="its pods have gone meanwhile",
    document=Document(
        source="the kernel's tables in one pod of each kind behind a tenant's Services",
        target="the Service's port in the pod",
        passes="the program listens in the family. A failure here with the rest green is the program's fault, not the "
        "network's. Skipped, and said to be, where the program's image has neither `cat` nor `python3`",
    ),
)
