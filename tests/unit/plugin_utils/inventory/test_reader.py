"""From an inventory as Ansible loads it to plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.files import Variable
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import (
    COMMAND_LINE,
    FALLBACK,
    Inventory,
    Unresolved,
)

from tests import inventories

SETTINGS = "group_vars/all.yml"


def read(folder: Path, change: dict[str, Any], **loading: Any) -> Inventory:
    """The good inventory with a change, as plain data."""
    return inventories.load(inventories.write(folder, inventories.changed(inventories.good(), change)), **loading)


def host(**variables: Any) -> dict[str, Any]:
    """More variables of worker1."""
    return {"hosts.yml": {"worker": {"hosts": {"worker1": variables}}}}


def test_groups_and_hosts_are_ansibles(tmp_path: Path) -> None:
    found = read(tmp_path, {})
    assert found.groups["control_plane"] == ("cp1",)
    assert found.groups["worker"] == ("worker1", "worker2")
    assert set(found.groups["all"]) == set(found.hosts) == {"cp1", "worker1", "worker2"}
    assert found.hosts["cp1"] == {"ansible_host": "10.20.0.11", "ipv4": "10.20.0.11", "ipv6": "fd20::11"}
    assert found.hosts_file == "hosts.yml"


def test_of_a_host_only_addresses_and_what_looks_like_them_are_kept(tmp_path: Path) -> None:
    kept = {"ip4": "a", "ip_v6": "b", "IPv6_address": "c", "ipv4addr": "d", "ansible_port": 2222}
    others = {"ipv5": "e", "my_ipv4": "f", "ipv4_gateway": "g", "ansible_user": "ops"}
    found = read(tmp_path, host(**kept, **others)).hosts["worker1"]
    assert {name: found[name] for name in found if name in kept or name in others} == kept


def test_expressions_are_resolved_with_other_hosts_and_groups(tmp_path: Path) -> None:
    """In both families, and of the value of each host on its own."""
    found = read(
        tmp_path,
        host(ipv4="10.20.0.{{ number }}", ipv6="{{ hostvars[groups['control_plane'][0]].ipv6 }}2", number=12),
    )
    assert (found.hosts["worker1"]["ipv4"], found.hosts["worker1"]["ipv6"]) == ("10.20.0.12", "fd20::112")


def test_what_cannot_be_resolved_is_kept_as_it_is_written(tmp_path: Path) -> None:
    """And is one value among the others, not the end of the reading."""
    change = host(ipv6="{{ nowhere }}::1") | {SETTINGS: {"twinstack_mtu": "{{ 1 / 0 }}", "twinstack_api_port": 7443}}
    found = read(tmp_path, change)
    assert found.hosts["worker1"]["ipv6"] == Unresolved("{{ nowhere }}::1")
    assert found.hosts["worker1"]["ipv4"] == "10.20.0.12"
    assert found.settings["twinstack_mtu"] == Unresolved("{{ 1 / 0 }}")
    assert found.settings["twinstack_api_port"] == 7443


def test_shared_defaults_are_below_what_is_set_and_other_roles_are_not(tmp_path: Path) -> None:
    """They may use what only their role knows. What no role declares is no setting."""
    change = {SETTINGS: {"twinstack_mtu": 1400, "kubeadm_init_timeout": 5, "my_own": 1}}
    found = read(tmp_path, change).settings
    assert (found["twinstack_mtu"], found["twinstack_proxy_mode"]) == (1400, "ipvs")
    assert found["kubeadm_init_timeout"] == 5
    assert "kubeadm_join_timeout" not in found and "my_own" not in found


def test_a_default_that_is_an_expression_is_resolved(tmp_path: Path) -> None:
    """With the hosts of this inventory, whose folder it names."""
    assert read(tmp_path, {}).settings["twinstack_artifacts_dir"] == f"{tmp_path}/.artifacts"


def test_what_a_host_has_instead_of_the_first_ones_settings_differs(tmp_path: Path) -> None:
    """Of shared settings; other roles' are each host's own."""
    found = read(
        tmp_path,
        {
            SETTINGS: {"twinstack_mtu": 1500},
            "host_vars/worker2.yml": {"twinstack_mtu": 1400, "node_prep_sysctls": {"a": "1"}},
            "host_vars/worker1.yml": {"twinstack_mtu": "{{ 1500 }}", "twinstack_api_port": 6443},
        },
    )
    assert found.differing == {("worker2", "twinstack_mtu"): 1400}, "6443 is the default"
    assert found.settings["twinstack_mtu"] == 1500
    assert found.settings["node_prep_sysctls"] == {"a": "1"}


def test_without_hosts_the_settings_of_all_are_read(tmp_path: Path) -> None:
    """And defaults that need a host are left out: that there is none is a finding already."""
    change: dict[str, Any] = {
        "hosts.yml": {group: {"hosts": inventories.REMOVED} for group in ("control_plane", "worker")},
        SETTINGS: {"twinstack_mtu": 5, "primary_family": "{{ nowhere }}"},
    }
    found = read(tmp_path, change)
    assert (found.groups["all"], found.hosts) == ((), {})
    assert (found.settings["twinstack_mtu"], found.settings["twinstack_proxy_mode"]) == (5, "ipvs")
    assert found.settings["primary_family"] == Unresolved("{{ nowhere }}")
    assert "twinstack_artifacts_dir" not in found.settings
    assert found.differing == {}


def test_the_command_line_sets_what_a_file_does_not(tmp_path: Path) -> None:
    """It wins, so the file is not to blame."""
    found = read(tmp_path, {SETTINGS: {"twinstack_mtu": 1400}}, command_line=["twinstack_mtu", "my_own"])
    assert [one for one in found.variables if one.name in ("twinstack_mtu", "my_own")] == [
        Variable("my_own", COMMAND_LINE, "group", ""),
        Variable("twinstack_mtu", COMMAND_LINE, "group", ""),
    ]
    assert found.where("twinstack_mtu") == COMMAND_LINE
    assert found.where("pod_cidrs") == SETTINGS


def test_a_variable_in_a_file_that_is_no_yaml_is_a_roles_or_nobodys(tmp_path: Path) -> None:
    """Ansible reads more formats than the scan of files; of what it alone knows, only a role's is judged."""
    text = "[storage]\ndisk1\n[all:vars]\ntwinstack_mtv=5\nmy_own=1\n"
    found = read(tmp_path, {"more": text})
    assert "disk1" in found.groups["all"]
    assert [one.where for one in found.variables if one.name == "twinstack_mtv"] == [FALLBACK]
    assert [one for one in found.variables if one.name == "my_own"] == []


def test_what_the_files_repeat_and_own_comes_along(tmp_path: Path) -> None:
    change = {"group_vars/worker.yml": "a: 1\na: 2\n", "host_vars/cp1.yml": {"b": 1}}
    found = read(tmp_path, change)
    assert [(one.where, one.key, one.lines) for one in found.repeated] == [("group_vars/worker.yml", "a", (1, 2))]
    assert ("host_vars/cp1.yml", "host", "cp1") in found.owners
