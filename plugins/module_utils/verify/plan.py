"""Which probes exist for a cluster. Pure: `Cluster` in, probes and skipped groups out.

Every group goes through both families in the same way. What cannot be run because its source or its target is missing
is a failed probe with the reason, never a missing one: the number of probes depends on the nodes only, so a broken
cluster cannot look small and green.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Group
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import GROUPS
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Cluster, Outside, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan, Scope, Skip


def plan(
    cluster: Cluster,
    namespace: str,
    host_port: int,
    proxy_mode: str = "",
    outside: Outside | None = None,
    run: str = "",
) -> Plan:
    """Everything that is to be verified.

    namespace: where the agents are; host_port: where hosts' agents listen; proxy_mode: `ipvs` or `nftables`, empty =
    what the cluster's own kube-proxy configuration names; outside: None when nothing can be probed from outside.
    run: makes this verification's traces its own.
    """
    return _plan(GROUPS, Scope(cluster, namespace, host_port, proxy_mode or cluster.proxy_mode, outside, run))


def plan_without_agents(cluster: Cluster, namespace: str) -> Plan:
    """What the API alone shows, for check mode: nothing is created in the cluster."""
    told = _plan((group for group in GROUPS if not group.agents), Scope(cluster, namespace, 0, "", None))
    return Plan(told.probes, (*told.skipped, Skip("all other groups", "check mode creates nothing in the cluster")))


def _plan(groups: Iterable[Group], scope: Scope) -> Plan:
    """What these groups have for a scope, in their order."""
    skipped: list[Skip] = []
    probes: list[Probe] = []
    for group in groups:
        for item in group.plan(scope):
            if isinstance(item, Skip):
                skipped.append(item)
            else:
                probes.append(scope.runnable(item))
    return Plan(tuple(probes), tuple(skipped))
