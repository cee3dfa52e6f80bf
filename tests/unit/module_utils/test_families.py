"""The families' names, and addresses of either."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import (
    BITS,
    FAMILIES,
    FAMILY_KEYS,
    TITLES,
    bracketed,
    by_family,
    endpoint,
    family_of,
    is_address,
)


def test_both_spellings_are_of_the_same_families_in_the_same_order() -> None:
    assert [family.lower() for family in FAMILIES] == list(FAMILY_KEYS)
    assert list(TITLES.values()) == list(FAMILIES)
    assert set(BITS) == set(FAMILY_KEYS)


@pytest.mark.parametrize(
    ("text", "family", "written"),
    [
        ("10.0.0.1", "IPv4", "10.0.0.1:80"),
        ("fd00::1", "IPv6", "[fd00::1]:80"),
        ("FD00:0:0::01", "IPv6", "[fd00::1]:80"),
    ],
)
def test_an_address_has_a_family_and_one_spelling_with_a_port(text: str, family: str, written: str) -> None:
    assert is_address(text)
    assert family_of(text) == family
    assert endpoint(text, 80) == written


def test_a_name_is_no_address() -> None:
    assert not is_address("None") and not is_address("10.0.0.0/8")
    with pytest.raises(ValueError, match="localhost"):
        family_of("localhost")
    assert bracketed("localhost") == "localhost"
    assert bracketed("::1") == "[::1]"


def test_the_first_address_of_each_family_counts() -> None:
    assert by_family(["None", "fd00::2", "10.0.0.1", "fd00::1"]) == {"IPv6": "fd00::2", "IPv4": "10.0.0.1"}
