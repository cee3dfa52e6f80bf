"""The inventory check around the bad inventories: what is accepted, warned about, and where a finding points to."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, errors
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import check as inventory_rules

from tests import inventories
from tests.conftest import ROOT

EXAMPLE = ROOT / "inventory" / "example"
SETTINGS = "group_vars/all.yml"
IPVS = (
    "group_vars/all: twinstack_proxy_mode: found ipvs with Kubernetes 1.37.2; "
    "expected nftables by Kubernetes 1.40, which refuses ipvs. Try: twinstack_proxy_mode: nftables for a new cluster"
)


def findings(folder: Path, change: dict[str, Any], **loading: Any) -> list[Finding]:
    """What is found in the good inventory with a change."""
    files = inventories.changed(inventories.good(), change)
    return inventory_rules.check(inventories.load(inventories.write(folder, files), **loading), inventories.rules())


def test_a_good_inventory_has_only_the_warning_about_ipvs(tmp_path: Path) -> None:
    """The defaults run kube-proxy in IPVS mode on Kubernetes 1.37."""
    found = findings(tmp_path, {})
    assert [(finding.level, finding.line()) for finding in found] == [("warning", IPVS)]


def test_the_check_takes_less_than_two_seconds() -> None:
    """Reading the rules and the inventory included; the best of three, because other work may be going on."""
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        inventory_rules.check(inventories.load(EXAMPLE), inventory_rules.load_rules())
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 2


@pytest.mark.parametrize("folder", [EXAMPLE, ROOT / "inventory" / "lab"], ids=lambda folder: folder.name)
def test_the_inventories_of_this_repository_are_good(folder: Path) -> None:
    """Both come with the project."""
    assert [finding.line() for finding in inventory_rules.check(inventories.load(folder), inventories.rules())] == [
        IPVS
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"twinstack_proxy_mode": "nftables"},
        {"primary_family": "ipv6", "service_cidrs": ["fd20:96::/112", "10.96.0.0/16"]},
        {"twinstack_mtu": 1280, "twinstack_api_port": 443, "twinstack_encapsulation": "None"},
        {"twinstack_ipvs_min_sync_period": 0},
        {"twinstack_ipvs_min_sync_period": "30"},
        {"twinstack_mtu": "9216", "twinstack_node_mask_ipv4": "24"},
        {"service_cidrs": ["172.16.0.0/12", "fd20:96::/108"]},
        {"service_cidrs": ["10.96.0.0/24", "fd20:96::/120"]},
        {"pod_cidrs": ["10.128.0.0/9", "fd20:244::/56"], "twinstack_node_mask_ipv4": 25},
        {"pod_cidrs": ["100.64.0.0/16", "2a00:20:30::/56"]},
        {"pod_cidrs": ["10.{{ second }}.0.0/16", "fd20:244::/56"], "second": 200},
        {"pod_cidrs": ["FD20:0244:0::/56", "10.244.0.0/16"]},
        {"node_prep_sysctls": {"kernel.hostname": "{{ ansible_facts['hostname'] }}"}, "my_own_variable": 1},
        {"verify_outside": "none", "preflight_min_disk_gb": 5, "bundle_verify": "yes"},
    ],
    ids=str,
)
def test_accepted(tmp_path: Path, change: dict[str, Any]) -> None:
    """Edges of what is allowed, numbers as text, expressions, and variables of one's own."""
    assert [finding.line() for finding in errors(findings(tmp_path, {SETTINGS: change}))] == []


def test_networks_for_documentation_are_warned_of_and_accepted(tmp_path: Path) -> None:
    """They work, and laboratories of network people are full of them."""
    change = {
        SETTINGS: {"pod_cidrs": ["10.244.0.0/16", "2001:db8:244::/56"], "twinstack_proxy_mode": "nftables"},
        "hosts.yml": {"worker": {"hosts": {"worker1": {"ipv4": "192.0.2.12"}}}},
    }
    found = findings(tmp_path, change)
    assert [(finding.level, finding.line()) for finding in found] == [
        (
            "warning",
            "group_vars/all.yml: pod_cidrs: found 2001:db8:244::/56, which is in 2001:db8::/32, meant for "
            "documentation; expected a network of your own",
        ),
        (
            "warning",
            "worker1: ipv4: found 192.0.2.12, which is in 192.0.2.0/24, meant for documentation; "
            "expected a network of your own",
        ),
    ]


def test_nftables_has_no_findings_at_all(tmp_path: Path) -> None:
    """The warning is about IPVS alone."""
    assert findings(tmp_path, {SETTINGS: {"twinstack_proxy_mode": "nftables"}}) == []


def test_groups_may_have_children(tmp_path: Path) -> None:
    hosts = inventories.good()["hosts.yml"]
    change = {
        "hosts.yml": {
            "worker": {"hosts": inventories.REMOVED, "children": {"rack1": hosts["worker"]}},
        },
        "group_vars/rack1.yml": {"ansible_user": "ops"},
    }
    assert [finding.line() for finding in errors(findings(tmp_path, change))] == []


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({SETTINGS: {"twinstack_mtu": 5}}, SETTINGS),
        ({SETTINGS: inventories.REMOVED, "group_vars/all/b.yaml": {"twinstack_mtu": 5}}, "group_vars/all/b.yaml"),
        ({"hosts.yml": {"all": {"vars": {"twinstack_mtu": 5}}}}, "hosts.yml"),
        ({SETTINGS: {"twinstack_mtu": 0}, "host_vars/cp1.yml": {"twinstack_mtu": 5}}, "host_vars/cp1.yml"),
    ],
)  # fmt: skip
def test_where_names_the_file_that_sets_the_variable(tmp_path: Path, files: dict[str, Any], where: str) -> None:
    """Relative to the inventory, and the file that wins."""
    found = {finding.field: finding.where for finding in findings(tmp_path, files) if finding.found == "5"}
    assert found == {"twinstack_mtu": where}


def test_variables_of_the_command_line_are_judged_too(tmp_path: Path) -> None:
    """A slip in -e is as silent as one in a file."""
    found = findings(tmp_path, {}, command_line=["twinstack_proxi_mode"])
    assert found[0].line() == (
        "command line: twinstack_proxi_mode: found a variable that no role has; expected twinstack_proxy_mode"
    )


def test_a_renamed_variable_is_reported_with_its_new_name(tmp_path: Path) -> None:
    """Whatever it is alike to."""
    files = inventories.changed(inventories.good(), {SETTINGS: {"twinstack_link_mtu": 1400}})
    rules = replace(inventories.rules(), renamed={"twinstack_link_mtu": "twinstack_mtu"})
    found = inventory_rules.check(inventories.load(inventories.write(tmp_path, files)), rules)
    assert [finding.line() for finding in errors(found)] == [
        f"{SETTINGS}: twinstack_link_mtu: found an old name, renamed to twinstack_mtu; expected twinstack_mtu"
    ]
