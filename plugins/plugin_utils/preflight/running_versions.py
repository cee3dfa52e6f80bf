"""Versions of what runs against those of the inventory: installing is no way to upgrade. Pure.

A version that cannot be read is compared with nothing: a host may lack a program that this run puts back. While the
API server does not answer, its manifest says which version it is, and without that the kubelets do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Settings
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.standing import (
    Standing,
    image_version,
    manifest_version,
    nested,
    record,
    version_of,
)


def of_cluster(what: Standing) -> dict[str, str]:
    """Versions of what the cluster runs once, by component, as far as they can be read."""
    known = record(what.control_plane) if what.control_plane else None
    if known is None:
        return {}
    manifests, images = known["manifests"], (what.api or {}).get("images", {})
    found = {
        "kubernetes": version_of(nested(what.api, "version")) or manifest_version(manifests.get("kube-apiserver", "")),
        "etcd": manifest_version(manifests.get("etcd", ""))
        or version_of(nested(what.configuration, "etcd", "local", "imageTag")),
        "coredns": image_version(images.get("coredns")) or version_of(nested(what.configuration, "dns", "imageTag")),
        "calico": image_version(images.get("calico-node")),
    }
    return {component: version for component, version in found.items() if version}


def of_hosts(what: Standing, program: str) -> dict[str, str]:
    """Versions of an installed program by member, as far as they can be read."""
    found = {host.name: version_of(nested(record(host), "versions", program)) for host in what.members}
    return {name: version for name, version in found.items() if version}


def check_versions(what: Standing, settings: Settings) -> Iterator[Finding]:
    """Every component whose version in the inventory is not the one that runs."""
    wanted = settings.desired.versions
    running, kubelets, containerds = of_cluster(what), of_hosts(what, "kubelet"), of_hosts(what, "containerd")
    hint = _hint(wanted, running, kubelets, containerds)
    for component, version in running.items():
        if version != wanted.get(component, version):  # one that is missing is the inventory check's to refuse
            expected = f"{version}, which runs in the cluster"
            field = f"twinstack_versions.{component}"
            yield Finding(settings.where("twinstack_versions"), field, wanted[component], expected, hint)
    kubernetes, containerd = wanted.get("kubernetes", ""), wanted.get("containerd", "")
    if kubernetes and running.get("kubernetes", kubernetes) == kubernetes:
        yield from _check_kubelets(kubelets, kubernetes, "kubernetes" in running, hint)
    if containerd:
        yield from _check_containerds(containerds, containerd, hint)


def _check_kubelets(kubelets: Mapping[str, str], wanted: str, api_known: bool, hint: str) -> Iterator[Finding]:
    """Kubelets of another version than the API server, which has the inventory's, or has none that can be read."""
    for host, version in kubelets.items():
        if version == wanted:
            continue
        if not api_known:
            yield Finding(host, "twinstack_versions.kubernetes", wanted, f"{version}, which the kubelet is", hint)
        elif _numbers(version) > _numbers(wanted):
            # What an earlier release left when it found too late that it must not upgrade.
            found = f"{version}, newer than the API server, which no kubelet may be"
            yield Finding(host, "kubelet", found, f"{wanted}, which this run installs", level="warning")
        else:
            upgrade = "drain the node, upgrade its kubelet as the API server was upgraded, uncordon it"
            yield Finding(host, "kubelet", version, f"{wanted}, which the API server is", upgrade)


def _check_containerds(containerds: Mapping[str, str], wanted: str, hint: str) -> Iterator[Finding]:
    """Hosts with another containerd. Where others have the inventory's, a run was cut off, and this one goes on."""
    for host, version in containerds.items():
        if version != wanted and wanted in containerds.values():
            expected = f"{wanted}, which other hosts have and this run installs"
            yield Finding(host, "containerd", version, expected, level="warning")
        elif version != wanted:
            yield Finding(host, "twinstack_versions.containerd", wanted, f"{version}, which is installed", hint)


def _hint(
    wanted: Mapping[str, str], running: Mapping[str, str], kubelets: Mapping[str, str], containerds: Mapping[str, str]
) -> str:
    """What to write into the inventory: all versions, because a variable replaces the default as a whole."""
    usual = {
        component: Counter(versions.values()).most_common(1)[0][0]
        for component, versions in (("kubernetes", kubelets), ("containerd", containerds))
        if versions
    }
    pins = {component: (usual | dict(running)).get(component, version) for component, version in wanted.items()}
    listed = ", ".join(f"{component}: {version}" for component, version in pins.items())
    hint = f"pin twinstack_versions: {{{listed}}} and use the release of this collection that made the cluster; "
    return hint + "upgrading is a playbook of a later release"


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, which have an order."""
    return tuple(int(part) for part in version.split("."))
