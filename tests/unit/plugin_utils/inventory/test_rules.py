"""The inventory check around the bad inventories: what is accepted, warned about, and where a finding points to."""

from __future__ import annotations

import ipaddress
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, errors
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import addresses, role_options
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import files as inventory_files
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import cluster as inventory_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import mesh as mesh_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.renamed import RENAMED

from tests import inventories
from tests.conftest import ROOT

EXAMPLE = ROOT / "inventory" / "example"
SETTINGS = "group_vars/all.yml"
IPVS = (
    "group_vars/all: twinstack_proxy_mode: found ipvs with Kubernetes 1.37.2; "
    "expected nftables by Kubernetes 1.40, which refuses ipvs. Try: twinstack_proxy_mode: nftables for a new cluster"
)
#: Options that are given to one run with -e, or belong to the lab.
PER_RUN = re.compile(r"lab_\w+|reset_\w+|ssh_known_hosts_accept\w*|bundle_rebuild")


def findings(folder: Path, change: dict[str, Any], **loading: Any) -> list[Finding]:
    """What is found in the good inventory with a change."""
    files = inventories.changed(inventories.good(), change)
    return inventory_rules.check(inventories.load(inventories.write(folder, files), **loading), inventories.rules())


# --- good inventories -------------------------------------------------------------------------------------------


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


def test_hosts_may_spell_their_addresses_as_they_like(tmp_path: Path) -> None:
    """What counts is the address; two spellings of one are one address twice."""
    spelled = {"hosts.yml": {"worker": {"hosts": {"worker1": {"ipv6": "FD20:0:0:0:0:0:0:12"}}}}}
    assert [finding.line() for finding in errors(findings(tmp_path, spelled))] == []
    spelled["hosts.yml"]["worker"]["hosts"]["worker2"] = {"ipv6": "fd20::0:12"}
    assert [finding.line() for finding in errors(findings(tmp_path, spelled))] == [
        "worker2: ipv6: found fd20::12, which is worker1's; expected an address of its own"
    ]


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


# --- where a finding points to ------------------------------------------------------------------------------------


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


def test_a_variable_in_a_file_that_cannot_be_read_is_still_judged() -> None:
    """Names in an encrypted file are known to Ansible only; the scan of files has none."""
    inventory = inventory_rules.Inventory({"all": ()}, {}, {})
    assert inventory.where("twinstack_mtu") == inventory_rules.FALLBACK


def test_a_renamed_variable_is_told_its_new_name(tmp_path: Path) -> None:
    """Whatever it is alike to."""
    files = inventories.changed(inventories.good(), {SETTINGS: {"twinstack_link_mtu": 1400}})
    rules = replace(inventories.rules(), renamed={"twinstack_link_mtu": "twinstack_mtu"})
    found = inventory_rules.check(inventories.load(inventories.write(tmp_path, files)), rules)
    assert [finding.line() for finding in errors(found)] == [
        f"{SETTINGS}: twinstack_link_mtu: found an old name; expected twinstack_mtu"
    ]


def test_new_names_are_names_that_there_are() -> None:
    """A rename that leads nowhere helps nobody."""
    options = inventories.rules().declared.options
    assert set(RENAMED.values()) <= set(options)
    assert not set(RENAMED) & set(options)


def test_files_scan_skips_what_ansible_skips(tmp_path: Path) -> None:
    """Hidden files, copies, and folders that are no inventory."""
    files = {
        "hosts.yml": {"worker": {"hosts": {"w": {"ipv4": "x"}}}},
        "known_hosts": "w ssh-ed25519 AAAA\n",
        "artifacts/run.json": {"a": 1},
        "group_vars/all/.hidden.yml": {"a": 1},
        "group_vars/all/old.yml~": {"a": 1},
        "group_vars/all/more/deep.yml": {"a": 1},
        "host_vars/w": {"b": 1},
        "group_vars/worker.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
    }
    scan = inventory_files.scan([inventories.write(tmp_path, files), tmp_path / "nowhere"])
    assert scan.hosts_file == "hosts.yml"
    assert {(one.name, one.where, one.kind, one.owner) for one in scan.variables} == {
        ("ipv4", "hosts.yml", "host", "w"),
        ("a", "group_vars/all/more/deep.yml", "group", "all"),
        ("b", "host_vars/w", "host", "w"),
    }


# --- the example --------------------------------------------------------------------------------------------------


def test_the_example_explains_every_option_with_its_default() -> None:
    """Required ones are set, the others are commented out exactly as the roles have them."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((EXAMPLE / "group_vars/all").glob("*.yml")))
    commented = "\n".join(re.findall(r"^# ((?:[a-z]\w*_\w+: ?|  ).*)$", text, re.MULTILINE))
    commented = "\n".join(line for line in commented.splitlines() if not line.startswith("  -"))
    defaults = yaml.safe_load(commented)
    declared = role_options.load()
    assert defaults == {name: value for name, value in declared.defaults.items() if not PER_RUN.fullmatch(name)}
    required = {name for name, option in declared.options.items() if option.get("required")}
    assert {name for name in required if re.search(rf"^{name}: ", text, re.MULTILINE)} == required


def test_the_example_checks_host_keys() -> None:
    """No first contact is taken on trust."""
    connection = yaml.safe_load((EXAMPLE / "group_vars/all/connection.yml").read_text(encoding="utf-8"))
    assert "StrictHostKeyChecking=yes" in connection["ansible_ssh_common_args"]
    assert "known_hosts" in connection["ansible_ssh_common_args"]


# --- versions -----------------------------------------------------------------------------------------------------


def test_the_default_versions_are_tested() -> None:
    """By the lab, every one of them."""
    chosen = role_options.load().defaults["twinstack_versions"]
    pairs = versions.load_pairs()
    assert versions.check_versions(chosen, pairs, "x") == []
    lab = {pair.component for pair in pairs if pair.tested_by == "twinstack lab"}
    assert lab | {"kubernetes"} == set(chosen)


def test_pairs_that_upstream_tested_are_accepted() -> None:
    """Two numbers in the table stand for every patch release."""
    chosen = {"kubernetes": "1.37.2", "containerd": "2.4.2", "etcd": "3.7.0", "coredns": "1.14.6", "calico": "3.33.4"}
    assert versions.check_versions(chosen, versions.load_pairs(), "x") == []


@pytest.mark.parametrize(
    ("change", "message"), [({"tested_by": "me"}, "tested_by 'me'"), ({"version": "3"}, "versions of two or three")]
)
def test_a_wrong_table_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    """Who tested a pair is no free text."""
    entry = {"component": "a", "version": "1.2", "kubernetes": "1.37", "tested_by": "upstream", "source": "b"} | change
    path = tmp_path / "table.yml"
    path.write_text(yaml.safe_dump({"pairs": [entry]}), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        versions.load_pairs(path)


@pytest.mark.parametrize(
    ("kubernetes", "levels"),
    [("1.36.9", []), ("1.37.0", ["warning"]), ("1.39.9", ["warning"]), ("1.40.0", ["error"]), ("2.0.0", ["error"])],
)
def test_ipvs_by_kubernetes_version(kubernetes: str, levels: list[str]) -> None:
    """Deprecated from 1.37, refused from 1.40; nftables always works."""
    assert [finding.level for finding in versions.check_proxy_mode("ipvs", kubernetes, "x")] == levels
    assert versions.check_proxy_mode("nftables", kubernetes, "x") == []


@pytest.mark.parametrize("text", ["1.37", "v1.37.2", "1.37.2-rc.1", "1.037.2", "1.37.2 ", ""])
def test_version_forms_that_are_none(text: str) -> None:
    """Three numbers and nothing else."""
    with pytest.raises(ValueError, match="three numbers"):
        versions.parse(text)


# --- addresses and types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "family"),
    [("10.0.0.1", "ipv4"), ("8.8.8.8", "ipv4"), ("100.64.0.1", "ipv4"), ("fd00::1", "ipv6"), ("2a00::1", "ipv6")],
)
def test_usable_addresses(value: str, family: str) -> None:
    """Private, shared, unique local and global ones."""
    assert addresses.parse_address(value, family) == ipaddress.ip_address(value)


@pytest.mark.parametrize(
    ("value", "option", "expected"),
    [
        ("5", {"type": "int"}, ""),
        (5.0, {"type": "int"}, "a whole number"),
        ("5.5", {"type": "int"}, "a whole number"),
        (True, {"type": "int"}, "a whole number"),
        ("5.5", {"type": "float"}, ""),
        ("no", {"type": "bool"}, ""),
        ("never", {"type": "bool"}, "true or false"),
        (5, {"type": "str"}, "a text"),
        (None, {"type": "path"}, "a path"),
        (["a"], {"type": "list", "choices": ["a", "b"]}, ""),
        ("a", {"type": "list", "choices": ["a", "b"]}, "a list of a or b"),
        ("a", {"type": "dict"}, "a mapping"),
        ("", {"type": "str", "choices": ["", "b"]}, ""),
        ("c", {"type": "str", "choices": ["", "b"]}, '"" or b'),
    ],
)
def test_types(value: Any, option: dict[str, Any], expected: str) -> None:
    """As Ansible takes them, only that a truth value is no number and no number a text."""
    assert role_options.expected(value, option) == expected


def test_every_role_is_read() -> None:
    """Also those without options: their prefix is taken."""
    declared = role_options.load()
    assert {path.name for path in (ROOT / "roles").iterdir()} == {prefix[:-1] for prefix in declared.prefixes}
    assert set(declared.defaults) < set(declared.options)


def test_a_mesh_of_two_revisions_with_a_build_of_the_sites_own_is_good() -> None:
    build = {"hub": "registry.example/istio", "tag": "site", "istioctl": "/opt/istioctl", "plain_envoy": False}
    revisions = [{"name": "blue", "default": True}, {"name": "green", "build": build, "settings": {"pilot": {}}}]
    settings = {"istio_revisions": revisions, "istio_build": {}, "observability_kiali_istiod": "istiod-green"}
    assert list(mesh_rules.check_mesh(settings, lambda name: "group_vars/all.yml")) == []
    assert list(mesh_rules.check_mesh({"istio_revisions": []}, lambda name: "group_vars/all.yml")) == []
