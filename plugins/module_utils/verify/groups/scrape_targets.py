"""Everything that Prometheus looks at answers, in the family that it should be scraped in."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.contract import (
    API_SERVER_JOB,
    COREDNS_JOB,
    FELIX_JOB,
    IPVS_JOB,
    ISTIO_CNI_JOB,
    ISTIO_SYSTEM,
    ISTIOD_JOB,
    KUBELET_JOB,
    NODE_FAMILIES_JOB,
    OBSERVABILITY,
    PODS_JOB,
    PROMETHEUS_JOB,
    PROXIES_JOB,
    SERVICE_FAMILIES_JOB,
)
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.observability import PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope
from ansible_collections.twinstack.core.plugins.module_utils.verify.telemetry import query

ID = "scrape-targets"
# Besides IPVS_JOB, which has a target on every worker, where kube-proxy uses IPVS.
JOBS = (
    PROXIES_JOB,
    ISTIOD_JOB,
    ISTIO_CNI_JOB,
    COREDNS_JOB,
    KUBELET_JOB,
    PODS_JOB,
    FELIX_JOB,
    API_SERVER_JOB,
    PROMETHEUS_JOB,
)
NODE_JOBS = (KUBELET_JOB, PODS_JOB, FELIX_JOB, ISTIO_CNI_JOB)  # with a target on every node
DNS_SERVICE, ISTIOD_SERVICES = "kube-system/kube-dns", f"{ISTIO_SYSTEM}/istiod"


def plan(scope: Scope) -> Iterator[Probe]:
    """Nodes and Services over the family, then every other job."""
    for family in FAMILIES:
        of_family = f'ip_family="{family}"'
        asked = f'job="{NODE_FAMILIES_JOB}",{of_family}'
        nodes = f"count({_looked_at(asked)} == 1)"
        title = f"every node answers Prometheus over {family}"
        yield from query(scope, ID, family, "nodes", title, nodes, f',"{len(scope.cluster.nodes)}"]')
        # A Service that has lost a family has no target of it any more: as many as there are Services, and all up.
        watched = f'job="{SERVICE_FAMILIES_JOB}"'
        there, all_there = _looked_at(f"{watched},{of_family}"), _looked_at(watched)
        services = f"sum({there}) == bool scalar(count(count by (service) ({all_there})))"
        title = f"every watched Service answers Prometheus over {family}"
        yield from query(scope, ID, family, "services", title, services, ',"1"]')
        for job in (*JOBS, *([IPVS_JOB] if scope.cluster.proxy_mode == "ipvs" else [])):
            title = f"every target of {job} answers Prometheus"
            there, count = _looked_at(f'job="{job}"'), _number_of_targets(scope, job)
            expression, answer = f"min({there})", ',"1"]'
            if count:  # so many there must be: one that is gone is not up either
                expression, answer = f"count({there} == 1)", f',"{count}"]'
            yield from query(scope, ID, family, job, title, expression, answer)


def _looked_at(labels: str) -> str:
    """Targets as Prometheus sees them since it started.

    Of those that went while it did not run it shows the last sample for five minutes more, as if they were there.
    """
    started = f'scalar(max(process_start_time_seconds{{job="{PROMETHEUS_JOB}"}}))'
    return f"(up{{{labels}}} and timestamp(up{{{labels}}}) > {started})"


def _number_of_targets(scope: Scope, job: str) -> int:
    """How many a job must have, by the nodes and by the pods behind Services; 0 where that is unknown."""
    if job in NODE_JOBS:
        return len(scope.cluster.nodes)
    if job == API_SERVER_JOB:
        return len(scope.cluster.control_plane)
    if job == PROMETHEUS_JOB:
        return 1
    if job == IPVS_JOB:
        return len(scope.cluster.nodes) - len(scope.cluster.control_plane)
    pods: set[str] = set()
    for name, service in scope.cluster.services.items():
        if name == DNS_SERVICE if job == COREDNS_JOB else job == ISTIOD_JOB and name.startswith(ISTIOD_SERVICES):
            counted = [
                servers for (family, _, _), servers in service.servers.items() if family == scope.cluster.primary_family
            ]
            pods |= {server.rpartition(":")[0] for servers in counted for server in servers}
    return len(pods)


GROUP = Group(
    id=ID,
    part=Part.TELEMETRY,
    turn=Turn.TELEMETRY,
    plan=plan,
    next_command=lambda *_: (
        f"kubectl -n {OBSERVABILITY} port-forward svc/{PROMETHEUS.name} {PROMETHEUS.port}, "
        "then /targets and /alerts there"
    ),
    document=Document(
        source="a pod, by Prometheus' address of the family",
        target="Prometheus",
        passes="every node's kubelet and every watched Service answers it over the family, and every target of every "
        "other job; targets that went while Prometheus did not run count for none",
    ),
)
