"""The comparison of three ways to dual stack: what is made, what is counted, table and plot."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.twinstack.core.plugins.filter import comparison as filters
from ansible_collections.twinstack.core.plugins.plugin_utils.report import comparison

WORDS = set(comparison.WAYS.values())
COUNTS = {"bytes": 1000, "listeners": 1, "clusters": 2, "routes": 3, "endpoints": 4, "memory": 5}
RESULTS: list[dict[str, Any]] = [
    {"way": way, "services": count, "counts": COUNTS | {"bytes": count * factor}}
    for way, factor in (("single", 100), ("duplicated", 210), ("dual", 110))
    for count in (20, 100)
]


@pytest.mark.parametrize(("way", "number", "families"), [("single", 3, 1), ("duplicated", 6, 1), ("dual", 3, 2)])
def test_each_way_has_its_own_services_for_the_same_apps(way: str, number: int, families: int) -> None:
    found = filters.compared_objects({"way": way, "services": 3}, "ipv6", "stable", "agnhost:1")
    services = [item for item in found if item["kind"] == "Service"]
    assert len({item["metadata"]["name"] for item in services}) == number
    assert {len(item["spec"]["ipFamilies"]) for item in services} == {families}
    assert len({len(item["metadata"]["name"]) for item in services}) == 1, "longer names count"
    assert services[0]["spec"]["ipFamilies"][0] == "IPv6", "the cluster's first family first"
    asked = {family for item in services for family in item["spec"]["ipFamilies"]}
    assert asked == ({"IPv6"} if way == "single" else {"IPv4", "IPv6"})


def test_table_and_plot_say_what_is_emulated() -> None:
    text = filters.comparison_table(RESULTS)
    assert text.count("\n|") == 2 + len(RESULTS)
    assert "emulated on today's programs" in text
    assert "| 100 | two Services (emulated) | 21000 | 1 | 2 | 3 | 4 | 5 |" in text
    drawn = ElementTree.fromstring(filters.comparison_plot(RESULTS))
    assert len(drawn.findall("{*}polyline")) == len(comparison.WAYS)
    heights = sorted(float(one.get("y", 0)) for one in drawn.findall("{*}text") if (one.text or "") in WORDS)
    assert len(heights) == len(WORDS)
    assert all(two - one >= comparison.SPACING for one, two in itertools.pairwise(heights)), "labels over each other"
    assert "two Services (emulated)" in "".join(drawn.itertext())
