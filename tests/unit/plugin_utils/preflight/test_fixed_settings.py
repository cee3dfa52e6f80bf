"""Settings that cannot change: each with the old value, and never by its spelling."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import fixed_settings

from tests.conftest import ROOT
from tests.unit.plugin_utils.preflight.samples import SETTINGS
from tests.unit.plugin_utils.preflight.standing_samples import ASKED, KUBEADM_CONFIG, inventory, judged, without_api

CHANGES: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {"pod_cidrs": ["10.245.0.0/16", "fd66:244::/56"]},
        "pod_cidrs",
        "10.245.0.0/16, fd66:244::/56",
        "10.244.0.0/16, fd66:244::/56",
    ),
    (
        {"service_cidrs": ["10.96.0.0/16", "fd66:97::/112"]},
        "service_cidrs",
        "10.96.0.0/16, fd66:97::/112",
        "10.96.0.0/16, fd66:96::/112",
    ),
    ({"primary_family": "ipv6"}, "primary_family", "ipv6", "ipv4"),
    ({"node_mask": {"ipv4": 25, "ipv6": 64}}, "twinstack_node_mask_ipv4", "25", "24"),
    ({"node_mask": {"ipv4": 24, "ipv6": 72}}, "twinstack_node_mask_ipv6", "72", "64"),
    ({"domain": "demo.local"}, "twinstack_cluster_domain", "demo.local", "cluster.local"),
    ({"name": "demo2"}, "twinstack_cluster_name", "demo2", "demo"),
    ({"api_name": "k8s.demo.internal"}, "twinstack_api_name", "k8s.demo.internal", "api.demo.internal"),
    ({"api_port": 7443}, "twinstack_api_port", "7443", "6443"),
]


@pytest.mark.parametrize("api", [True, False])
@pytest.mark.parametrize(("change", "field", "new", "old"), CHANGES)
def test_each_is_refused_with_its_old_value_and_reason(
    change: dict[str, Any], field: str, new: str, old: str, api: bool
) -> None:
    """Whether the API server answers or not."""
    (finding,) = judged(lambda hosts: None if api else without_api(hosts), inventory(**change))
    assert (finding.level, finding.where, finding.field, finding.found) == ("error", f"all.yml: {field}", field, new)
    assert finding.expected == f"{old}, with which the cluster was made: {fixed_settings.FIXED[field]}"
    assert finding.hint.startswith(f"go back to {old}; or, for a new cluster")
    assert "playbooks/reset.yml -e reset_confirm=demo" in finding.hint


def test_every_field_of_the_table_is_compared() -> None:
    """And no other."""
    assert [field for _, field, _, _ in CHANGES] == list(fixed_settings.FIXED)
    assert list(fixed_settings.wanted(SETTINGS.desired)) == list(fixed_settings.FIXED)


@pytest.mark.parametrize("text", [KUBEADM_CONFIG, ASKED])
def test_every_setting_of_a_healthy_cluster_is_read(text: str) -> None:
    """Else that it has no finding would say nothing."""
    (configuration,) = [item for item in yaml.safe_load_all(text) if item["kind"] == "ClusterConfiguration"]
    assert fixed_settings.made_with(configuration) == fixed_settings.wanted(SETTINGS.desired)


@pytest.mark.parametrize(
    "change",
    [
        {"pod_cidrs": ["FD66:0244:0::/56", "10.244.0.0/16"], "service_cidrs": ["fd66:96:0:0::/112", "10.96.0.0/16"]},
        {"api_name": "API.demo.internal"},
        {"proxy_mode": "nftables", "mtu": 1400, "encapsulation": "VXLAN", "ipvs_min_sync_period": 9},
    ],
)
def test_another_spelling_and_other_settings_are_no_difference(change: dict[str, Any]) -> None:
    assert judged(settings=inventory(**change)) == []


def test_an_api_name_that_is_an_address_is_compared_by_value() -> None:
    made = fixed_settings.made_with({"controlPlaneEndpoint": "[fd66:0:0::1]:6443"})
    assert made == {"twinstack_api_name": "fd66::1", "twinstack_api_port": "6443"}


def test_what_cannot_be_read_is_compared_with_nothing() -> None:
    configuration = {
        "networking": {"podSubnet": "nonsense", "serviceSubnet": ""},
        "controllerManager": {"extraArgs": {"node-cidr-mask-size-ipv4": "24"}},
        "controlPlaneEndpoint": "api:port",
    }
    assert fixed_settings.made_with(configuration) == {"twinstack_api_name": "api"}


def test_the_page_has_the_same_table() -> None:
    page = (ROOT / "docs" / "running_again.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert {row[0].strip("`"): row[1] for row in rows if row[0].strip("`") in fixed_settings.FIXED} == (
        fixed_settings.FIXED
    )
