"""Variables, whatever they are about: names, keys that are there twice, types, and what can be relied on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.files import Repeated, Variable
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import COMMAND_LINE, Inventory, Unresolved
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.role_options import Declared
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import variables

DECLARED = Declared(
    options={
        "primary_family": {"type": "str", "choices": ["ipv4", "ipv6"], "required": True},
        "pod_cidrs": {"type": "list", "required": True},
        "twinstack_mtu": {"type": "int"},
        "twinstack_proxy_mode": {"type": "str", "choices": ["ipvs", "nftables"]},
        "istio_timeout": {"type": "int"},
        "istio_upgrade_path": {"type": "path"},
        "scenarios_run": {"type": "list"},
        "verify_force": {"type": "bool"},
    },
    defaults={},
    prefixes=("istio_", "istio_upgrade_", "scenarios_", "twinstack_", "verify_"),
)
REQUIRED: dict[str, Any] = {"primary_family": "ipv4", "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"]}


def names(*given: str, renamed: dict[str, str] | None = None, where: str = "all.yml") -> list[str]:
    """What is wrong with variables of these names."""
    inventory = Inventory({"all": ()}, {}, {}, variables=tuple(Variable(name, where, "group", "all") for name in given))
    return [finding.line() for finding in variables.check_names(inventory, DECLARED, renamed or {})]


def values(differing: dict[tuple[str, str], Any] | None = None, **settings: Any) -> list[Finding]:
    """What is wrong with these settings, beside those that must be there."""
    inventory = Inventory({"all": ()}, {}, REQUIRED | settings, differing or {})
    return list(variables.check_values(inventory, DECLARED))


def test_names_of_roles_and_of_ansible_are_not_judged() -> None:
    assert names("twinstack_mtu", "primary_family", "ansible_user", "my_own", "network") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("twinstack_mtv", "twinstack_mtu"),
        ("istio_upgrade_pat", "istio_upgrade_path"),
        ("verify_", "a variable of docs/variables.md, or another prefix for your own"),
        ("verify_zzz", "a variable of docs/variables.md, or another prefix for your own"),
        ("primary_famly", "primary_family"),
        ("Pod_cidrs", "pod_cidrs"),
        ("twinstak_proxy_mode", "twinstack_proxy_mode"),
    ],
)
def test_a_slip_is_answered_with_what_was_probably_meant(name: str, expected: str) -> None:
    assert names(name) == [f"all.yml: {name}: found a variable that no role has; expected {expected}"]


def test_the_closest_name_is_one_of_the_same_role() -> None:
    """Of role istio_upgrade, whose prefix is longer than that of istio, which has a timeout."""
    (line,) = names("istio_upgrade_timeout")
    assert line.endswith("expected a variable of docs/variables.md, or another prefix for your own")
    (line,) = names("istio_tmeout")
    assert line.endswith("expected istio_timeout")


def test_a_name_of_ones_own_must_be_almost_equal_to_be_a_slip() -> None:
    """Half alike is enough only below a role's prefix, which is the role's."""
    assert names("primary_families_of_mine", "cidrs") == []


def test_an_old_name_is_answered_before_anything_else() -> None:
    """Also where it is alike to another, and where a role has it again."""
    renamed = {"twinstack_mtv": "twinstack_proxy_mode", "istio_timeout": "verify_force"}
    assert names("twinstack_mtv", "istio_timeout", renamed=renamed, where=COMMAND_LINE) == [
        f"command line: {old}: found an old name, renamed to {new}; expected {new}" for old, new in renamed.items()
    ]


def test_a_key_that_is_there_twice_is_named_with_its_lines() -> None:
    inventory = Inventory({"all": ()}, {}, {}, repeated=(Repeated("hosts.yml", "worker.hosts.w1", (7, 9)),))
    assert [finding.line() for finding in variables.check_files(inventory)] == [
        "hosts.yml: worker.hosts.w1: found the key twice, in lines 7 and 9; expected it once; the last one would win"
    ]


def test_variables_of_nobody_are_named_with_those_that_there_are() -> None:
    """localhost is always there; a host is no group."""
    owners = (
        ("group_vars/w1.yml", "group", "w1"),
        ("host_vars/worker.yml", "host", "worker"),
        ("host_vars/localhost.yml", "host", "localhost"),
        ("group_vars/worker.yml", "group", "worker"),
        ("host_vars/w1.yml", "host", "w1"),
    )
    inventory = Inventory({"all": ("w2", "w1"), "worker": ("w1", "w2")}, {}, {}, owners=owners)
    assert [finding.line() for finding in variables.check_files(inventory)] == [
        "group_vars/w1.yml: group: found w1, which no inventory file names; expected one of all, worker",
        "host_vars/worker.yml: host: found worker, which no inventory file names; expected one of w1, w2",
    ]
    nobody = Inventory({"all": ()}, {}, {}, owners=(("host_vars/w1.yml", "host", "w1"),))
    (finding,) = variables.check_files(nobody)
    assert finding.expected == "one of a host that there is"


def test_settings_of_the_right_type_have_no_findings() -> None:
    assert values(twinstack_mtu="1400", verify_force="yes", scenarios_run="S1,S5", istio_timeout=5) == []


def test_what_must_be_there_is_asked_for_in_words() -> None:
    """Both families of the networks, because none is ever guessed."""
    found = list(variables.check_values(Inventory({"all": ()}, {}, {"pod_cidrs": None}), DECLARED))
    assert [finding.line() for finding in found] == [
        "group_vars/all: primary_family: found nothing; expected ipv4 or ipv6",
        "group_vars/all: pod_cidrs: found nothing; "
        "expected a list of an IPv4 and an IPv6 network; no family is ever guessed",
    ]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("twinstack_mtu", "large", "found large; expected a whole number"),
        ("twinstack_mtu", None, "found nothing; expected a whole number"),
        ("twinstack_proxy_mode", "iptables", "found iptables; expected ipvs or nftables"),
        ("verify_force", "perhaps", "found perhaps; expected true or false"),
        ("scenarios_run", {"S1": 1}, 'found {"S1": 1}; expected a list'),
        ("pod_cidrs", "10.244.0.0/16,fd66::/56", "found 10.244.0.0/16,fd66::/56; expected a list"),
    ],
)
def test_a_value_of_another_type_is_shown(name: str, value: Any, told: str) -> None:
    """Commas make a list only where a module takes them."""
    assert [finding.line() for finding in values(**{name: value})] == [f"group_vars/all: {name}: {told}"]


def test_only_a_shared_setting_must_be_resolved_before_any_host_is_asked() -> None:
    gone = Unresolved("{{ nowhere }}")
    (finding,) = values(twinstack_mtu=gone, istio_timeout=gone)
    assert finding.field == "twinstack_mtu"
    assert finding.found == "{{ nowhere }}, which cannot be resolved"
    assert finding.hint.endswith("-a var=twinstack_mtu")


def test_a_setting_that_differs_is_shown_with_both_values() -> None:
    differing = {("w2", "twinstack_mtu"): 1400, ("w3", "twinstack_mtu"): Unresolved("{{ x }}")}
    assert [finding.line() for finding in values(differing, twinstack_mtu=1500)] == [
        "group_vars/all: twinstack_mtu: found 1400 for w2 and 1500 for others; expected one value for all hosts",
        "group_vars/all: twinstack_mtu: found {{ x }} for w3 and 1500 for others; expected one value for all hosts",
    ]


def test_only_what_is_right_can_be_relied_on() -> None:
    """Numbers as numbers, and lists as lists; what is missing or wrong is not there at all."""
    settings = {
        **REQUIRED,
        "twinstack_mtu": "1400",
        "istio_timeout": "soon",
        "istio_upgrade_path": None,
        "twinstack_proxy_mode": Unresolved("{{ x }}"),
        "scenarios_run": "S1,S5",
        "verify_force": "yes",
    }
    assert variables.usable(Inventory({"all": ()}, {}, settings), DECLARED) == {
        **REQUIRED,
        "twinstack_mtu": 1400,
        "scenarios_run": ["S1", "S5"],
        "verify_force": "yes",
    }
