"""What is on a host already: our own record, another cluster, traces of what others installed, a firewall. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.host.kubeadm import RESET
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings


def check_own_record(host: Host, _settings: Settings) -> Iterator[Finding]:
    """The record of our own changes must be readable: without it nothing can be undone."""
    if host.probe["own"]["error"]:
        yield Finding(host.name, "/etc/twinstack/host.json", host.probe["own"]["error"], "the record as it was written")


def check_cluster(host: Host, cluster: str) -> Iterator[Finding]:
    """A host of another cluster of ours: all that is on it looks like our own. cluster: the wanted one's name."""
    other = host.probe["own"]["cluster"]
    if other and other != cluster:
        hint = f"{RESET.replace('CLUSTER', other)} --limit {host.name}"
        yield Finding(host.name, "cluster", f"a host of cluster {other}", f"{cluster}, or a bare host", hint)


def check_stale(host: Host, _settings: Settings) -> Iterator[Finding]:
    """Traces of a cluster that this project has not made."""
    if host.ours:
        return
    stale = host.probe["stale"]
    hint = "remove it the way it was installed (kubeadm reset); or, where nothing of it is needed, reset.yml "
    hint += "with -e reset_without_record=true"
    if stale["paths"]:
        yield Finding(host.name, "stale state", ", ".join(stale["paths"]), "no such paths", hint)
    if stale["links"]:
        yield Finding(host.name, "stale links", ", ".join(stale["links"]), "no such links", hint)
    if stale["ipvs_services"]:
        yield Finding(host.name, "IPVS", f"{stale['ipvs_services']} virtual services", "none", "ipvsadm --clear")


def check_firewall(host: Host, settings: Settings) -> Iterator[Finding]:
    """Rules that no cluster made: a dropping policy breaks pods, other rules may."""
    for table in host.probe["firewall"]:
        where = f"firewall {table['tool']} {table['table']}"
        blocking = {chain: policy for chain, policy in table["policies"].items() if chain.lower() != "output"}
        hint = "ufw disable; systemctl disable --now nftables firewalld; or preflight_foreign_firewall: warn"
        if blocking:
            found = ", ".join(f"{chain} policy {policy}" for chain, policy in sorted(blocking.items()))
            level = "error" if settings.foreign_firewall == "refuse" else "warning"
            yield Finding(host.name, where, found, "policy ACCEPT", hint, level)
        if table["rules"]:
            found = f"{table['rules']} rule{'' if table['rules'] == 1 else 's'} that no cluster made"
            yield Finding(host.name, where, found, "no rule that stops cluster traffic", hint, "warning")
