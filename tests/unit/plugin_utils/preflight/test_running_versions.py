"""Versions that differ from what runs are refused, whichever component it is, and damage can be mended."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import running_versions
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.standing import standing

from tests.unit.plugin_utils.preflight.samples import CLUSTER, SETTINGS, Sample
from tests.unit.plugin_utils.preflight.standing_samples import (
    bare,
    inventory,
    judged,
    manifest,
    of,
    standing_hosts,
    without_api,
)

VERSIONS = CLUSTER["versions"]


def test_every_version_of_a_healthy_cluster_is_read() -> None:
    """Else that it has no finding would say nothing."""
    what = standing(standing_hosts(), SETTINGS)
    assert {**running_versions.of_cluster(what), "containerd": VERSIONS["containerd"]} == VERSIONS
    for program, component in (("kubelet", "kubernetes"), ("containerd", "containerd")):
        assert running_versions.of_hosts(what, program) == dict.fromkeys(("cp1", "worker1"), VERSIONS[component])


@pytest.mark.parametrize("api", [True, False])
@pytest.mark.parametrize(
    ("component", "new", "old"),
    [("kubernetes", "1.37.3", "1.37.2"), ("etcd", "3.7.4", "3.7.3"), ("coredns", "1.15.1", "1.15.0")],
)
def test_another_version_in_the_cluster_is_refused(component: str, new: str, old: str, api: bool) -> None:
    """Once, not for every kubelet too, and whether the API server answers or not."""
    settings = inventory(versions=VERSIONS | {component: new})
    (finding,) = judged(lambda hosts: None if api else without_api(hosts), settings)
    assert (finding.level, finding.where) == ("error", "all.yml: twinstack_versions")
    assert (finding.field, finding.found) == (f"twinstack_versions.{component}", new)
    assert finding.expected == f"{old}, which runs in the cluster"
    assert finding.hint.startswith(
        "pin twinstack_versions: {kubernetes: 1.37.2, containerd: 2.4.2, etcd: 3.7.3, coredns: 1.15.0, calico: 3.28.5}"
    )
    assert "release of this collection that made the cluster" in finding.hint


def test_another_calico_is_refused() -> None:
    (finding,) = judged(settings=inventory(versions=VERSIONS | {"calico": "3.29.0"}))
    assert (finding.field, finding.found) == ("twinstack_versions.calico", "3.29.0")


def test_another_containerd_is_refused_on_every_host() -> None:
    found = judged(settings=inventory(versions=VERSIONS | {"containerd": "2.4.3"}))
    assert [(item.level, item.where, item.field, item.found) for item in found] == [
        ("error", name, "twinstack_versions.containerd", "2.4.3") for name in ("cp1", "worker1")
    ]
    assert all(item.expected == "2.4.2, which is installed" and "containerd: 2.4.2" in item.hint for item in found)


def test_a_bare_worker_does_not_join_with_another_version() -> None:
    def add(hosts: list[Sample]) -> None:
        bare(hosts[1])
        of(hosts[0])["cluster"]["nodes"].pop()

    (finding,) = judged(add, inventory(versions=VERSIONS | {"kubernetes": "1.38.0"}))
    assert finding.field == "twinstack_versions.kubernetes"


def test_what_runs_counts_not_what_kubeadm_once_was_asked() -> None:
    """A control plane that somebody upgraded by hand."""

    def upgrade(hosts: list[Sample]) -> None:
        of(hosts[0])["manifests"]["kube-apiserver"] = manifest(
            "kube-apiserver", "registry.k8s.io/kube-apiserver:v1.37.3"
        )
        without_api(hosts)
        for host in hosts:
            of(host)["versions"]["kubelet"] = "1.37.3"

    assert judged(upgrade, inventory(versions=VERSIONS | {"kubernetes": "1.37.3"})) == []
    assert [item.found for item in judged(upgrade)] == ["1.37.2"]


def test_kubelets_say_the_version_where_nothing_else_does() -> None:
    """The API server is down, and its manifest gone."""

    def break_down(hosts: list[Sample]) -> None:
        of(without_api(hosts)[0])["manifests"] = {}

    found = judged(break_down, inventory(versions=VERSIONS | {"kubernetes": "1.37.3"}))
    assert [(item.where, item.field, item.expected) for item in found] == [
        (name, "twinstack_versions.kubernetes", "1.37.2, which the kubelet is") for name in ("cp1", "worker1")
    ]
    assert "kubernetes: 1.37.2" in found[0].hint


def test_a_kubelet_newer_than_the_api_server_is_brought_back_and_an_older_one_is_refused() -> None:
    """Releases up to c2ae108 installed a newer kubelet before they refused."""

    def spoil(version: str) -> list[tuple[str, str, str]]:
        found = judged(lambda hosts: of(hosts[1])["versions"].update(kubelet=version))
        return [(item.level, item.where, item.field) for item in found]

    assert spoil("1.37.10") == [("warning", "worker1", "kubelet")]
    assert spoil("1.37.1") == [("error", "worker1", "kubelet")]


def test_a_containerd_that_other_hosts_have_is_installed_where_a_run_was_cut_off() -> None:
    (finding,) = judged(lambda hosts: of(hosts[1])["versions"].update(containerd="2.4.1"))
    assert (finding.level, finding.where, finding.field) == ("warning", "worker1", "containerd")


def test_what_cannot_be_read_is_no_finding() -> None:
    def lose(hosts: list[Sample]) -> None:
        for host in hosts:
            of(host)["versions"] = {}
        of(hosts[0])["manifests"] = {"etcd": "{", "kube-apiserver": ""}
        of(hosts[0])["asked"] = ""
        without_api(hosts)

    assert judged(lose, inventory(versions=dict.fromkeys(VERSIONS, "9.9.9"))) == []


def test_versions_that_the_inventory_lacks_are_its_own_checks_to_refuse() -> None:
    assert judged(settings=inventory(versions={})) == []
