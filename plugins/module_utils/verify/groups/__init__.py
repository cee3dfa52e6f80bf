"""All probe groups, each in a module of its own, in the order of the report.

They are imported by name, because what is shipped with a module is what its imports name.
"""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Group, Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import (
    addresses,
    api_server,
    certificate,
    cluster_ip,
    dns,
    egress,
    headless,
    host_host,
    kube_proxy,
    large_packet,
    mesh_build,
    mesh_collector,
    mesh_count,
    mesh_gateway,
    mesh_graph,
    mesh_metrics,
    mesh_mtls,
    mesh_name,
    mesh_outside,
    mesh_plain,
    mesh_rules,
    mesh_strict,
    mesh_trace,
    mesh_wire,
    node_port,
    pod_pod,
    scrape_targets,
    tenant_gateway,
    tenant_listens,
)

GROUPS: tuple[Group, ...] = (
    addresses.GROUP,
    host_host.GROUP,
    pod_pod.GROUP,
    cluster_ip.GROUP,
    node_port.GROUP,
    headless.GROUP,
    dns.GROUP,
    api_server.GROUP,
    certificate.GROUP,
    egress.GROUP,
    large_packet.GROUP,
    kube_proxy.GROUP,
    mesh_build.GROUP,
    mesh_rules.GROUP,
    mesh_mtls.GROUP,
    mesh_name.GROUP,
    mesh_wire.GROUP,
    mesh_plain.GROUP,
    mesh_strict.GROUP,
    mesh_outside.GROUP,
    mesh_gateway.GROUP,
    tenant_gateway.GROUP,
    tenant_listens.GROUP,
    mesh_count.GROUP,
    mesh_metrics.GROUP,
    mesh_trace.GROUP,
    mesh_collector.GROUP,
    mesh_graph.GROUP,
    scrape_targets.GROUP,
)
BY_ID = {group.id: group for group in GROUPS}


def ids(*parts: Part) -> tuple[str, ...]:
    """Ids of the groups of these parts, in the order of the report."""
    return tuple(group.id for group in GROUPS if group.part in parts)
