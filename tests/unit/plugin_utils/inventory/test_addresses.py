"""Addresses that hosts may have."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import addresses


@pytest.mark.parametrize(
    ("value", "family"),
    [("10.0.0.1", "ipv4"), ("8.8.8.8", "ipv4"), ("100.64.0.1", "ipv4"), ("fd00::1", "ipv6"), ("2a00::1", "ipv6")],
)
def test_usable_addresses(value: str, family: str) -> None:
    """Private, shared, unique local and global ones."""
    assert addresses.parse_address(value, family) == ipaddress.ip_address(value)
