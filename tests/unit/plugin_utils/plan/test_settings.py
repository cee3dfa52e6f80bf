"""Which settings differ, on texts as kubeadm writes them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import settings
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.settings import Change

from tests.unit.plugin_utils.plan import samples

PROXY, KUBELET = "kube-proxy", "kubelet"


def test_a_cluster_with_these_settings_needs_nothing() -> None:
    assert settings.changes(samples.cluster(), samples.nodes()) == []


@pytest.mark.parametrize(
    ("field", "text", "old"),
    [
        ("kube_proxy", "minSyncPeriod: 3s", "minSyncPeriod: 3000ms"),
        ("kube_proxy", "fd66:244::/56", "FD66:0244:0::/56"),
        ("kubelet_config", "- fd66:96::a", "- FD66:96:0::A"),
        ("kubeadm_config", "- fd66:96::1", "- fd66:96:0:0::1"),
    ],
)
def test_spellings_are_no_difference(field: str, text: str, old: str) -> None:
    nodes = samples.nodes()
    assert text in nodes["cp1"]["cluster"][field]
    nodes["cp1"]["cluster"][field] = nodes["cp1"]["cluster"][field].replace(text, old)
    assert settings.changes(samples.cluster(), nodes) == []


def test_what_people_and_earlier_releases_added_is_not_touched() -> None:
    nodes = samples.with_api(
        kubelet_config=samples.KUBELET + "maxPods: 250\n",
        kubeadm_config=samples.CLUSTER_CONFIGURATION.replace("  - api.t\n", "  - api.t\n  - other.example\n"),
    )
    more = samples.CONTROLLER_MANAGER.replace("    image:", "    - --profiling=false\n    image:")
    nodes["cp1"]["manifests"]["kube-controller-manager"] = more
    nodes["w1"]["kubelet_config"] += "maxPods: 250\n"
    assert settings.changes(samples.cluster(), nodes) == []


def test_kube_proxy_s_pause_changes_what_is_stored_and_what_runs() -> None:
    """A cluster of before the pause, which such a release refused as made with other settings."""
    before: dict[str, Any] = samples.RUNNING | {"ipvs": {"minSyncPeriod": "0s", "strictARP": True}}
    nodes = samples.with_api(kube_proxy=samples.KUBE_PROXY.replace("minSyncPeriod: 3s", "minSyncPeriod: 0s"))
    for node in nodes.values():
        node["running"] = samples.running(kube_proxy=before)
    field = "ipvs.minSyncPeriod"
    assert settings.changes(samples.cluster(), nodes) == [
        Change("cluster", PROXY, field, "0s", "3s"),
        Change("cp1", PROXY, field, "0s", "3s", PROXY),
        Change("w1", PROXY, field, "0s", "3s", PROXY),
    ]


def test_a_run_that_was_cut_off_goes_on_where_kube_proxy_still_runs_with_the_old_settings() -> None:
    nodes = samples.nodes()
    nodes["w1"]["running"] = samples.running(kube_proxy=samples.RUNNING | {"mode": "nftables"})
    assert settings.changes(samples.cluster(), nodes) == [Change("w1", PROXY, "mode", "nftables", "ipvs", PROXY)]


def test_a_kube_proxy_that_does_not_answer_is_judged_by_what_is_stored() -> None:
    nodes = samples.with_api(kube_proxy=samples.KUBE_PROXY.replace("mode: ipvs", "mode: nftables"))
    nodes["w1"]["running"] = samples.running(kube_proxy={})
    found = settings.changes(samples.cluster(), nodes)
    assert Change("w1", PROXY, "mode", "nftables", "ipvs", PROXY) in found
    assert not [change for change in found if change.scope == "cp1"], "that one runs with them already"
    nodes = samples.nodes()
    nodes["w1"]["running"] = samples.running(kube_proxy={})
    assert settings.changes(samples.cluster(), nodes) == []


def test_what_the_old_mode_left_goes_without_a_restart() -> None:
    nodes = samples.with_api(kube_proxy=samples.KUBE_PROXY.replace("mode: ipvs", "mode: nftables"))
    for node in nodes.values():
        node["running"] = samples.running(kube_proxy=samples.RUNNING | {"mode": "nftables"}, ipvs=False)
    nodes["cp1"]["asked"] = samples.ASKED.replace("mode: ipvs", "mode: nftables")
    wanted = samples.cluster(proxy_mode="nftables")
    assert settings.changes(wanted, nodes) == []
    nodes["w1"]["running"]["ipvs"] = True
    assert settings.changes(wanted, nodes) == [Change("w1", PROXY, "IPVS", "left behind", "none")]


def test_a_record_that_alone_is_behind_is_written() -> None:
    """A setting was changed, refused by what started, and put back."""
    nodes = samples.nodes(asked=samples.ASKED.replace("minSyncPeriod: 3s", "minSyncPeriod: 9s"))
    assert settings.changes(samples.cluster(), nodes) == [
        Change("cluster", settings.RECORD, "ipvs.minSyncPeriod", "9s", "3s")
    ]
    assert settings.changes(samples.cluster(), samples.nodes(asked="")) == []
    with pytest.raises(ValueError, match=r"kubeadm.yaml: found no documents"):
        settings.changes(samples.cluster(), samples.nodes(asked="- a"))


def test_kubelets_are_compared_one_by_one() -> None:
    nodes = samples.nodes()
    nodes["w1"]["kubelet_config"] = samples.KUBELET.replace("serializeImagePulls: false\n", "")
    assert settings.changes(samples.cluster(), nodes) == [
        Change("w1", KUBELET, "serializeImagePulls", "", "false", KUBELET)
    ]
    nodes["cp1"]["cluster"]["kubelet_config"] = nodes["w1"]["kubelet_config"]
    assert settings.changes(samples.cluster(), nodes)[0] == Change(
        "cluster", KUBELET, "serializeImagePulls", "", "false"
    )


def test_a_kubelet_older_than_its_file_restarts() -> None:
    nodes = samples.nodes()
    nodes["cp1"]["running"] = samples.running(kubelet_behind=True)
    assert [change.restarts for change in settings.changes(samples.cluster(), nodes)] == [KUBELET]


def test_the_controllers_pace_is_stored_and_in_the_manifest() -> None:
    """A cluster of before CONTROLLER_PACE."""
    pace = '  - name: kube-api-qps\n    value: "100"\n  - name: kube-api-burst\n    value: "200"\n'
    nodes = samples.with_api(kubeadm_config=samples.CLUSTER_CONFIGURATION.replace(pace, ""))
    manifest = samples.CONTROLLER_MANAGER.replace("    - --kube-api-qps=100\n    - --kube-api-burst=200\n", "")
    nodes["cp1"]["manifests"]["kube-controller-manager"] = manifest
    name = "kube-controller-manager"
    assert settings.changes(samples.cluster(), nodes) == [
        Change("cluster", "kubeadm-config", "controllerManager.extraArgs.kube-api-qps", "", "100"),
        Change("cluster", "kubeadm-config", "controllerManager.extraArgs.kube-api-burst", "", "200"),
        Change("cp1", name, "kube-api-qps", "", "100", name),
        Change("cp1", name, "kube-api-burst", "", "200", name),
    ]


def test_the_certificate_itself_is_asked_for_its_names() -> None:
    spelt = ["CP1" if name == "cp1" else name.replace("fd66:96::1", "fd66:96:0:0::1") for name in samples.NAMES]
    nodes = samples.nodes(api_certificate=samples.certificate(spelt))
    assert settings.changes(samples.cluster(), nodes) == []
    nodes = samples.nodes(api_certificate=samples.certificate([name for name in samples.NAMES if name != "fd00::1"]))
    assert settings.changes(samples.cluster(), nodes) == [
        Change("cp1", settings.CERTIFICATE, "subjectAltName", "", "fd00::1")
    ]
    assert settings.certificate_names(samples.certificate([])) == []


def test_hosts_that_are_no_nodes_yet_have_nothing_to_compare() -> None:
    nodes: dict[str, dict[str, Any]] = samples.nodes()
    nodes["w1"] = {}
    assert settings.changes(samples.cluster(proxy_mode="ipvs"), nodes) == []
    assert settings.changes(samples.cluster(), {}) == []
    assert settings.changes(samples.cluster(), {"cp1": {"finished": False}, "w1": {}}) == []
    assert settings.uncompared(samples.cluster(), {"cp1": {"finished": False}, "w1": {}}) == ""


def test_an_api_server_that_did_not_answer_is_named() -> None:
    nodes = samples.nodes(cluster=None, cluster_error="connection refused")
    assert settings.changes(samples.cluster(), nodes) == []
    assert settings.uncompared(samples.cluster(), nodes).startswith("cp1: cluster settings: found connection refused;")
    assert settings.uncompared(samples.cluster(), samples.nodes()) == ""


def test_a_cluster_without_kube_proxy_is_left_without() -> None:
    assert settings.changes(samples.cluster(), samples.with_api(kube_proxy="")) == []


@pytest.mark.parametrize("text", ["{", "- a\n"])
def test_a_document_that_is_none_is_named(text: str) -> None:
    nodes = samples.nodes()
    nodes["w1"]["kubelet_config"] = text
    with pytest.raises(ValueError, match="w1: kubelet's configuration: found"):
        settings.changes(samples.cluster(), nodes)


def test_changes_read_well() -> None:
    change = Change("w1", PROXY, "mode", "ipvs", "nftables", PROXY)
    assert change.line() == "w1: kube-proxy: mode: ipvs -> nftables (restarts kube-proxy)"
    assert Change("cluster", PROXY, "a", "", "b").line() == "cluster: kube-proxy: a: nothing -> b"
    assert change.as_dict()["restarts"] == PROXY
    assert settings.shown(["10.96.0.10", True, 3]) == "10.96.0.10, true, 3"
