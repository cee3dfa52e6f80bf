"""What stands is read out of probes, and a cluster as it really is has no finding."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.kubeadm import kubeadm_init
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import standing

from tests.unit.plugin_utils.preflight.samples import SETTINGS, Sample, fit_hosts
from tests.unit.plugin_utils.preflight.standing_samples import (
    ASKED,
    bare,
    inventory,
    judged,
    of,
    standing_hosts,
    without_api,
)


@pytest.mark.parametrize("api", [True, False])
def test_a_healthy_cluster_has_no_finding(api: bool) -> None:
    assert judged(lambda hosts: None if api else without_api(hosts)) == []


def test_bare_hosts_and_a_new_worker_have_none() -> None:
    def remove(hosts: list[Sample]) -> None:
        for host in hosts:
            bare(host)

    def add(hosts: list[Sample]) -> None:
        bare(hosts[1])
        of(hosts[0])["cluster"]["nodes"].pop()

    assert judged(remove) == judged(add) == []


def test_what_kubeadm_was_asked_is_what_this_code_asks() -> None:
    """The sample is one of this code's documents, so that the checks read what is really there."""
    asked = list(yaml.safe_load_all(ASKED))
    made = kubeadm_init(SETTINGS.desired, SETTINGS.desired.control_plane[0])
    assert asked[0] == made[0]
    assert {key: made[1][key] for key in asked[1] if key != "controllerManager"} == {
        key: value for key, value in asked[1].items() if key != "controllerManager"
    }
    assert all(item in made[1]["controllerManager"]["extraArgs"] for item in asked[1]["controllerManager"]["extraArgs"])


def test_an_unfinished_init_stands_for_nothing_whatever_the_inventory_says() -> None:
    """It may be corrected."""

    def fail(hosts: list[Sample]) -> None:
        of(hosts[0]).update(finished=False, cluster=None, node_ip=["10.66.0.99", "fd66::99"])
        bare(hosts[1])

    changed = inventory(pod_cidrs=["10.245.0.0/16", "fd66:245::/56"], api_name="other")
    assert judged(fail, changed) == []


def test_a_join_that_was_cut_off_after_the_node_had_joined_counts_as_a_member() -> None:
    hosts = standing_hosts()
    of(hosts[1])["finished"] = False
    assert [host.name for host in standing.standing(hosts, SETTINGS).members] == ["cp1", "worker1"]
    of(hosts[0])["cluster"]["nodes"].pop()
    assert [host.name for host in standing.standing(hosts, SETTINGS).members] == ["cp1"]


def test_the_clusters_own_configuration_comes_before_what_was_asked() -> None:
    hosts = standing_hosts()
    found = standing.standing(hosts, SETTINGS).configuration
    assert found is not None and found["certificatesDir"] == "/etc/kubernetes/pki"
    of(hosts[0])["cluster"]["kubeadm_config"] = "{"
    found = standing.standing(hosts, SETTINGS).configuration
    assert found is not None and "certificatesDir" not in found and found["clusterName"] == "demo"
    of(hosts[0])["asked"] = ""
    assert standing.standing(hosts, SETTINGS).configuration == {}
    assert standing.standing(fit_hosts(), SETTINGS).configuration is None


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.k8s.io/etcd:3.7.3-0", "3.7.3"),
        ("registry.local:5000/calico/node:v3.28.5", "3.28.5"),
        ("registry.local:5000/calico/node", ""),
        ("docker.io/calico/node:v3.28.5@sha256:00", "3.28.5"),
        ("docker.io/calico/node@sha256:00", ""),
        ("docker.io/calico/node:master", ""),
        (None, ""),
    ],
)
def test_versions_of_images(image: str | None, version: str) -> None:
    assert standing.image_version(image) == version


@pytest.mark.parametrize("text", ["", "{", "- 1", "spec: 1", "spec: {containers: [{image: a}]}"])
def test_a_manifest_without_a_version_has_none(text: str) -> None:
    assert standing.manifest_version(text) == ""
