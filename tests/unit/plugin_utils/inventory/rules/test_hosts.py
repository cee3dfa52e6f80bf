"""Hosts: their groups, names, addresses, and how they are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory, Unresolved
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import hosts

from tests import inventories

V4, V6 = "an IPv4 address; no family is ever guessed", "an IPv6 address; no family is ever guessed"


def inventory(control_plane: list[str], worker: list[str], *others: str, **variables: dict[str, Any]) -> Inventory:
    """Hosts by group, with variables by host."""
    groups = {"control_plane": tuple(control_plane), "worker": tuple(worker)}
    names = tuple(dict.fromkeys((*control_plane, *worker, *others)))
    return Inventory({"all": names, **groups}, {name: variables.get(name, {}) for name in names}, {})


def lines(findings: Any) -> list[str]:
    """Findings as text."""
    return [finding.line() for finding in findings]


def found(**variables: dict[str, Any]) -> list[Finding]:
    """What is wrong with the addresses of these hosts."""
    return hosts.addresses(inventory([], list(variables), **variables))[1]


def test_one_control_plane_and_workers_are_right() -> None:
    assert lines(hosts.check_groups(inventory(["cp1"], ["w1", "w2"], "localhost"))) == []


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (2, "1; an even number of etcd members survives no more losses than one member less"),
        (3, "1: one control plane for now; three follow"),
        (4, "1; an even number of etcd members survives no more losses than one member less"),
    ],
)
def test_the_control_plane_is_one_host(count: int, expected: str) -> None:
    names = [f"cp{number}" for number in range(count)]
    line = f"hosts.yml: control_plane: found {count} hosts; expected {expected}"
    assert lines(hosts.check_groups(inventory(names, ["w1"]))) == [line]


def test_groups_that_are_not_there_or_empty_are_told_apart() -> None:
    """And findings name the file that the hosts are in."""
    nobody = Inventory({"all": (), "worker": ()}, {}, {}, hosts_file="inventory.yaml")
    assert lines(hosts.check_groups(nobody)) == [
        "inventory.yaml: control_plane: found no such group; expected a group with at least one host",
        "inventory.yaml: worker: found no host in the group; expected at least one",
    ]


def test_a_host_is_in_exactly_one_group() -> None:
    assert lines(hosts.check_groups(inventory(["cp1"], ["cp1", "w1"], "disk1"))) == [
        "cp1: groups: found control_plane and worker; expected one of them",
        "disk1: groups: found neither control_plane nor worker; expected one of them",
    ]


@pytest.mark.parametrize("name", ["a", "a-1", "1a", "a" * 63])
def test_names_that_nodes_can_have(name: str) -> None:
    assert lines(hosts.check_names(inventory([name], []))) == []


@pytest.mark.parametrize("name", ["a" * 64, "-a", "a-", "a.b", "a_b", "A", "a\n", "ä"])
def test_names_that_nodes_cannot_have(name: str) -> None:
    (finding,) = hosts.check_names(inventory([name], []))
    assert (finding.where, finding.field, finding.found) == (name, "inventory_hostname", name)
    assert finding.expected == "a DNS label: at most 63 lower-case letters, digits and hyphens"


def test_the_second_of_two_names_that_differ_in_case_is_named() -> None:
    (_label, finding) = hosts.check_names(inventory(["w1"], ["W1"]))
    assert finding.line() == (
        "W1: inventory_hostname: found W1, which is w1 where case does not count; expected a name of its own"
    )


def test_both_addresses_of_every_host_are_usable_by_value() -> None:
    variables = {"w1": {"ipv4": "10.0.0.1", "ipv6": "FD00:0:0::1"}, "localhost": {"ipv4": "nonsense"}}
    usable, wrong = hosts.addresses(inventory(["w1"], [], "localhost", **variables))
    assert {key: str(value) for key, value in usable.items()} == {("w1", "ipv4"): "10.0.0.1", ("w1", "ipv6"): "fd00::1"}
    assert wrong == []


def test_a_missing_family_is_missing_in_either() -> None:
    """A variable that was probably meant to hold the address is named with it."""
    assert lines(found(w1={"ipv4": "10.0.0.1", "ip_v6": "fd00::1", "ip6_addr": "fd00::1"}, w2={"ipv6": "fd00::2"})) == [
        f"w1: ipv6: found nothing, but ip6_addr, ip_v6; expected {V6}",
        f"w2: ipv4: found nothing; expected {V4}",
    ]
    assert lines(found(w1={"ipv6": "fd00::1", "ip4": "10.0.0.1"})) == [
        f"w1: ipv4: found nothing, but ip4; expected {V4}"
    ]


def test_an_address_of_the_other_family_is_refused_in_either() -> None:
    assert lines(found(w1={"ipv4": "fd00::1", "ipv6": "10.0.0.1"})) == [
        "w1: ipv4: found fd00::1 (IPv6); expected an IPv4 address",
        "w1: ipv6: found 10.0.0.1 (IPv4); expected an IPv6 address",
    ]


@pytest.mark.parametrize(("family", "address"), [("ipv4", "10.0.0.1"), ("ipv6", "fd00::1")])
def test_an_address_belongs_to_one_host(family: str, address: str) -> None:
    own = {"ipv4": "10.0.0.2", "ipv6": "fd00::2"}
    assert lines(found(w1={"ipv4": "10.0.0.1", "ipv6": "fd00::1"}, w2=own | {family: address})) == [
        f"w2: {family}: found {address}, which is w1's; expected an address of its own"
    ]


def test_an_address_that_cannot_be_resolved_says_how_to_see_it() -> None:
    (line,) = lines(found(w1={"ipv4": "10.0.0.1", "ipv6": Unresolved("{{ nowhere }}")}))
    assert line.startswith("w1: ipv6: found {{ nowhere }}, which cannot be resolved; expected a value")
    assert line.endswith("Try: ansible -i INVENTORY w1 -c local -m ansible.builtin.debug -a var=ipv6")


@pytest.mark.parametrize(
    ("family", "address", "network"),
    [("ipv4", "192.0.2.1", "192.0.2.0/24"), ("ipv6", "2001:db8::1", "2001:db8::/32"), ("ipv6", "3fff::1", "3fff::/20")],
)
def test_addresses_for_documentation_are_usable_and_warned_of(family: str, address: str, network: str) -> None:
    variables = {"w1": {"ipv4": "10.0.0.1", "ipv6": "fd00::1"} | {family: address}}
    usable, (finding,) = hosts.addresses(inventory(["w1"], [], **variables))
    assert finding.level == "warning"
    assert finding.found == f"{address}, which is in {network}, meant for documentation"
    assert str(usable["w1", family]) == address


def test_two_hosts_at_one_address_and_port_are_one_host() -> None:
    """Port 22 is what ssh takes without any, and a host without address is reached by its name."""
    assert lines(
        hosts.check_connections(
            inventory(
                ["a"],
                ["b", "c", "d", "10.0.0.2"],
                a={"ansible_host": "10.0.0.1"},
                b={"ansible_host": "10.0.0.1", "ansible_port": "22"},
                c={"ansible_host": "10.0.0.1", "ansible_port": 2222},
                d={"ansible_host": "10.0.0.2"},
            )
        )
    ) == [
        "b: ansible_host: found 10.0.0.1 port 22, which is a's; expected an address or port of its own",
        "10.0.0.2: ansible_host: found 10.0.0.2 port 22, which is d's; expected an address or port of its own",
    ]


def test_a_way_that_cannot_be_resolved_is_compared_with_no_other() -> None:
    gone = {"ansible_port": Unresolved("{{ nowhere }}")}
    assert [finding.field for finding in hosts.check_connections(inventory(["a"], ["b"], a=gone, b=gone))] == [
        "ansible_port",
        "ansible_port",
    ]
    local = inventory([], [], "localhost", "other", other={"ansible_host": "localhost"})
    assert lines(hosts.check_connections(local)) == []


def test_hosts_may_spell_their_addresses_as_they_like(tmp_path: Path) -> None:
    """What counts is the address; two spellings of one are one address twice."""

    def read(change: dict[str, Any]) -> list[str]:
        files = inventories.changed(inventories.good(), change)
        return lines(hosts.addresses(inventories.load(inventories.write(tmp_path, files)))[1])

    spelled = {"hosts.yml": {"worker": {"hosts": {"worker1": {"ipv6": "FD20:0:0:0:0:0:0:12"}}}}}
    assert read(spelled) == []
    spelled["hosts.yml"]["worker"]["hosts"]["worker2"] = {"ipv6": "fd20::0:12"}
    assert read(spelled) == ["worker2: ipv6: found fd20::12, which is worker1's; expected an address of its own"]
