"""Prometheus counted requests of each family, as the caller's and as the called proxy saw them."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_SYSTEM, OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    COUNTED,
    COUNTED_SERVICE,
    mesh_namespace,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope
from ansible_collections.twinstack.core.plugins.module_utils.verify.telemetry import query

ID = "mesh-metrics"


def plan(scope: Scope) -> Iterator[Probe]:
    """Whether this run's requests were counted at both ends, and whether all of those of mesh-count were."""
    space = mesh_namespace(scope.namespace)
    for family in FAMILIES:
        for reporter in ("source", "destination"):
            wanted = {
                f"{reporter}_workload_namespace": space,
                # Both ends, or the called proxy does not know its caller.
                "source_canonical_revision": scope.run,
                "destination_canonical_revision": scope.run,
                "reporter": reporter,
                "ip_family": family,
            }
            selector = ",".join(f'{name}="{value}"' for name, value in wanted.items())
            expression = f"sum by (ip_family) (istio_requests_total{{{selector}}})"
            title = f"requests by {family} counted by the {reporter}'s proxy"
            yield from query(scope, ID, family, reporter, title, expression, f'"{family}"')
        # Not at the called proxy: between the proxies there is one family, whatever the caller used.
        selector = (
            f'reporter="source",destination_service_name="{COUNTED_SERVICE}",destination_service_namespace="{space}"'
        )
        selector += f',source_canonical_revision="{scope.run}",response_code="200",ip_family="{family}"'
        title = f"{COUNTED} requests by {family} sent, {COUNTED} counted"
        expression = f"sum(istio_requests_total{{{selector}}})"
        yield from query(scope, ID, family, "count", title, expression, f',"{COUNTED}"]')


GROUP = Group(
    id=ID,
    part=Part.TELEMETRY,
    turn=Turn.TELEMETRY,
    plan=plan,
    next_command=lambda *_: (
        f"kubectl get envoyfilters -n {ISTIO_SYSTEM}; kubectl -n {OBSERVABILITY} logs deploy/prometheus"
    ),
    document=Document(
        source="a pod, by Prometheus' address of the family",
        target="Prometheus",
        passes="it counted this run's requests of the family, at the caller's and at the called proxy; of those of "
        f"`mesh-count` exactly {COUNTED}",
    ),
)
