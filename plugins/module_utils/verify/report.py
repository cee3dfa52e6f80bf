"""From probes and verdicts to the report, with the next command to try for everything that failed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    ALL_GROUPS,
    FAMILIES,
    OUTSIDE,
    TENANT_GROUPS,
    Cluster,
    Known,
    Probe,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Plan, Skip

SCHEMA = 1
NOT_TRIED = "not tried: "
POOLS = (
    "kubectl get ippools.crd.projectcalico.org -o "
    "custom-columns=NAME:.metadata.name,CIDR:.spec.cidr,OFF:.spec.disabled,NAT:.spec.natOutgoing"
)
REDIRECTION = "kubectl -n istio-system logs -l k8s-app=istio-cni-node --tail=20; ip6tables-save in the pod's netns on "
PODS_ON = "kubectl get pods -A -o wide --field-selector spec.nodeName="


def next_command(probe: Probe, verdict: Verdict) -> str:
    """What a person should run next; ``on NAME:`` means in a shell on that host."""
    number = probe.family[-1]
    node = probe.runner.partition("/")[2]
    if isinstance(probe.action, Known) and verdict.detail.startswith(NOT_TRIED):
        return _untried_command(verdict.detail[len(NOT_TRIED) :])
    forwarding = f"sysctl net.ipv{number}.conf.all.forwarding"
    route = f"ip -{number} route get {probe.address}" if probe.address else f"ip -{number} route"
    commands = {
        "addresses": _address_command(probe),
        "host-host": f"on {probe.source}: {route}; ping -{number} -c 3 {probe.address}",
        "pod-pod": f"on {probe.source} and {probe.target}: {forwarding}; ip -{number} route",
        "cluster-ip": f"on {node}: ipvsadm -Ln; kubectl -n kube-system logs -l k8s-app=kube-proxy --tail=20 --prefix",
        "node-port": f"on {probe.target}: ipvsadm -Ln; {forwarding}",
        "headless": f"kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide; on {probe.source}: {forwarding}",
        "dns": "kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIPs}; "
        "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide",
        "api-server": "kubectl get endpointslices kubernetes; "
        "kubectl -n kube-system get pods -o wide -l component=kube-apiserver",
        "certificate": f"on {probe.target}: openssl x509 -noout -ext subjectAltName "
        "-in /etc/kubernetes/pki/apiserver.crt",
        "egress": POOLS,
        "large-packet": f"on {probe.source}: ip link; tracepath -{number} {probe.address}",
        "mesh-rules": f"{REDIRECTION}{probe.source}",
        "mesh-mtls": f"istioctl proxy-config listeners; {REDIRECTION}{probe.source}",
        "mesh-name": f"kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide; {REDIRECTION}{probe.source}",
        "mesh-wire": f"istioctl proxy-config endpoints; {REDIRECTION}{probe.source}",
        "mesh-plain": f"istioctl proxy-config listeners; {REDIRECTION}{probe.source}",
        "mesh-strict": f"kubectl get peerauthentications -A; {REDIRECTION}any worker",
        "mesh-outside": f"on {probe.source}: {route}; kubectl get serviceentries -A",
        "mesh-gateway": f"istioctl analyze -A; on {probe.target}: ipvsadm -Ln; {forwarding}",
        "tenant-gateway": f"istioctl analyze -n {probe.target.rpartition('-')[0]}; on any host: ipvsadm -Ln",
        "tenant-listens": f"let the program bind the address :: too; kubectl -n {probe.target.partition('/')[0]} logs "
        + " -c ".join(probe.runner.split("/")[2:]),
        "mesh-metrics": "kubectl get envoyfilters -n istio-system; kubectl -n observability logs deploy/prometheus",
        "mesh-trace": "kubectl get telemetries -A; kubectl -n observability logs deploy/jaeger --tail=20",
        "mesh-collector": "kubectl -n observability get service jaeger-collector -o yaml; "
        "kubectl -n observability logs deploy/jaeger --tail=20",
        "mesh-graph": "kubectl -n observability logs deploy/kiali --tail=20",
        "mesh-count": f"istioctl proxy-config clusters; {REDIRECTION}{probe.source}",
        "scrape-targets": "kubectl -n observability port-forward svc/prometheus 9090, then /targets and /alerts there",
        "kube-proxy": f"kubectl -n kube-system get pods -o wide -l k8s-app=kube-proxy; on {node}: ipvsadm -Ln",
    }
    if probe.group == "egress" and not verdict.detail.startswith("found source"):
        return f"on {probe.source}: {route}; {forwarding}"
    if probe.source == OUTSIDE:
        return f"from outside: {commands['host-host'].partition(': ')[2]}; {commands['node-port']}"
    return commands[probe.group]


def _untried_command(why: str) -> str:
    """For a probe that could not even be sent: look at what is missing."""
    runner, does_not_run, _ = why.partition(" does not run")
    if does_not_run:
        node = runner.partition("/")[2]
        return f"{PODS_ON}{node}; on {node}: journalctl -u kubelet -n 50"
    lacking = re.match(r"node (\S+) has no", why)
    if lacking:
        return f"kubectl get node {lacking[1]} -o jsonpath={{.status.addresses}}"
    if why.startswith("Service "):
        return "kubectl get servicecidrs; kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIPs}"
    return POOLS


def _address_command(probe: Probe) -> str:
    if probe.target == "pool":
        return POOLS
    if probe.target == "pods":
        return f"{PODS_ON}{probe.source}"
    field = "{.status.addresses}" if probe.target == "node" else "{.spec.podCIDRs}"
    return f"kubectl get node {probe.source} -o jsonpath={field}"


def conclude(
    plan: Plan, verdicts: Mapping[str, Verdict], cluster: Cluster, started: str, seconds: float
) -> dict[str, Any]:
    """The report (schema 1).

    verdicts: by probe id, one for every probe of the plan; started: ISO 8601 in UTC; seconds: the whole run.
    """
    probes: list[dict[str, Any]] = []
    skipped = list(plan.skipped)
    for probe in sorted(plan.probes, key=lambda item: ALL_GROUPS.index(item.group)):
        verdict = verdicts[probe.id]
        if verdict.skip:
            what = probe.target if probe.group in TENANT_GROUPS else probe.id.rpartition("/")[2]
            part = Skip(probe.group, f"{what}: {verdict.detail}")
            if part not in skipped:
                skipped.append(part)
            continue
        probes.append(
            {
                "id": probe.id,
                "group": probe.group,
                "title": probe.title,
                "family": probe.family,
                "from": probe.source,
                "to": probe.target,
                "ok": verdict.ok,
                "milliseconds": verdict.milliseconds,
                "detail": verdict.detail,
                "next": "" if verdict.ok else next_command(probe, verdict),
            }
        )
    return {
        "schema": SCHEMA,
        "cluster": cluster.name,
        "started": started,
        "seconds": round(seconds, 1),
        "ok": bool(probes) and all(entry["ok"] for entry in probes),
        "versions": dict(cluster.versions),
        "images": dict(cluster.images),
        "settings": settings(cluster),
        "nodes": [
            {
                "name": node.name,
                "roles": ["control_plane" if node.control_plane else "worker"],
                "ipv4": node.addresses.get("IPv4", ""),
                "ipv6": node.addresses.get("IPv6", ""),
            }
            for node in sorted(cluster.nodes, key=lambda node: (not node.control_plane, node.name))
        ],
        "probes": probes,
        "skipped": [{"group": item.group, "reason": item.reason} for item in skipped],
    }


def settings(cluster: Cluster) -> dict[str, Any]:
    """What the cluster was found to be set to."""
    pools = [pool for pool in cluster.pools or () if not pool.disabled]
    ranges = [pool.cidr for pool in pools] or sorted({cidr for node in cluster.nodes for cidr in node.pod_cidrs})
    return {
        "primary_family": cluster.primary_family.lower(),
        "proxy_mode": cluster.proxy_mode,
        "encapsulation": ", ".join(sorted({pool.encapsulation for pool in pools})),
        "pod_cidrs": ranges,
        "service_cidrs": list(cluster.service_cidrs),
    }


def counts(probes: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Passed and failed probes per family."""
    found = {family: {"passed": 0, "failed": 0} for family in FAMILIES}
    for entry in probes:
        found[entry["family"]]["passed" if entry["ok"] else "failed"] += 1
    return found


def first_failures(probes: Sequence[Mapping[str, Any]], limit: int = 5) -> list[str]:
    """The first failures as lines of text."""
    failed = [entry for entry in probes if not entry["ok"]]
    lines = [f"{entry['id']}: {entry['detail']}. Try: {entry['next']}" for entry in failed[:limit]]
    if len(failed) > limit:
        lines.append(f"and {len(failed) - limit} more")
    return lines
