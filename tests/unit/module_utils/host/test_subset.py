"""Fields that we set against documents as programs write them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import subset


def test_only_what_is_wanted_counts() -> None:
    wanted = {"apiVersion": "a/v1", "kind": "K", "mode": "ipvs", "ipvs": {"strictARP": True, "minSyncPeriod": "3s"}}
    found = {"apiVersion": "a/v2", "mode": "ipvs", "bindAddress": "::", "ipvs": {"strictARP": True, "scheduler": ""}}
    assert subset.differences(wanted, found) == [("ipvs.minSyncPeriod", None, "3s")]
    assert subset.differences(wanted, {}) == [
        ("mode", None, "ipvs"),
        ("ipvs.strictARP", None, True),
        ("ipvs.minSyncPeriod", None, "3s"),
    ]
    assert subset.differences({"ipvs": {"strictARP": True}}, {"ipvs": None}) == [("ipvs.strictARP", None, True)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("60s", "1m0s"),
        ("1500ms", "1.5s"),
        ("fd66:96::a", "FD66:0096:0::A"),
        ("10.244.0.0/16,fd66:244::/56", "10.244.0.0/16, FD66:0244::/56"),
        (["10.96.0.10", "fd66:96::a"], ["10.96.0.10", "fd66:96:0::a"]),
        ("ipvs", "ipvs"),
        (3, 3),
    ],
)
def test_values_are_compared_and_not_spellings(one: Any, other: Any) -> None:
    assert subset.same(one, other)
    assert subset.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3s", "3m"),
        ("3s", "0s"),
        ("24", "25"),
        ("10.96.0.10", "fd66:96::a"),
        ("a,b", "b,a"),
        (["10.96.0.10"], ["10.96.0.10", "fd66:96::a"]),
        (True, "true"),
        (True, 1),
        ("", "0s"),
        ("ipvs", None),
    ],
)
def test_other_values_differ(one: Any, other: Any) -> None:
    assert not subset.same(one, other)
    assert not subset.same(other, one)
