"""The mesh's topology as a picture: where nodes stand, where lines go, and what stands on them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.report.topology_picture import BOX_WIDTH, columns, picture


def edge(source: str, target: str, mtls: float = 100.0, **rates: float) -> dict[str, Any]:
    """Requests from one to another."""
    return {"from": source, "to": target, "mtls": mtls, "rates": rates}


def drawn(*edges: dict[str, Any]) -> str:
    """The picture of these, each node where it is named first."""
    names = dict.fromkeys(name for one in edges for name in (one["from"], one["to"]))
    return picture({"nodes": [{"name": name} for name in names], "edges": list(edges)})


def boxes(svg: str) -> dict[str, tuple[int, int, int]]:
    """Left, top and height of each node's box by its workload."""
    pattern = r"translate\((\d+),(\d+)\)'><rect width=\d+ height=(\d+).*?y=37>([^<]*)<"
    return {name: (int(x), int(y), int(tall)) for x, y, tall, name in re.findall(pattern, svg)}


def words(svg: str) -> list[str]:
    """What stands on the lines."""
    return re.findall(r'class="small told"[^>]*>([^<]*)<', svg)


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ([("a", "b"), ("b", "c"), ("a", "c")], {"a": 0, "b": 1, "c": 2}),
        ([("a", "c"), ("b", "c")], {"a": 0, "b": 0, "c": 1}),
        ([("c", "b"), ("b", "a")], {"c": 0, "b": 1, "a": 2}),
        ([("a", "a")], {"a": 0, "b": 0, "c": 0}),
        ([], {"a": 0, "b": 0, "c": 0}),
    ],
)
def test_callers_stand_left_of_what_they_call(edges: list[tuple[str, str]], found: dict[str, int]) -> None:
    column = columns(["a", "b", "c"], edges)
    assert {name: column[name] for name in found} == found


@pytest.mark.parametrize("edges", ["ab ba", "ab bc ca", "aa ab ba bb", "ab bc cb cd dc"])
def test_a_circle_ends_and_leaves_no_empty_column(edges: str) -> None:
    nodes = sorted(set(edges) - {" "})
    column = columns(nodes, [(pair[0], pair[1]) for pair in edges.split()])
    assert sorted(column) == nodes
    assert set(column.values()) == set(range(max(column.values()) + 1))


@pytest.mark.parametrize("topology", [{}, {"nodes": [], "edges": []}, {"nodes": [{"name": "a/b"}], "edges": []}])
def test_nothing_is_drawn_of_nothing(topology: dict[str, Any]) -> None:
    assert picture(topology) == ""


def test_rates_of_both_families_and_security_are_words() -> None:
    """A family without requests is one with none, not one that is left out."""
    svg = drawn(edge("x/a", "x/b", IPv4=1.25, IPv6=2.0), edge("x/b", "x/c", 99.9, IPv6=0.5))
    assert words(svg) == [
        "IPv4 1.25/s · IPv6 2/s · mutual TLS",
        "IPv4 0/s · IPv6 0.5/s · not all mutual TLS",
    ]


def test_a_line_that_is_not_all_mutual_tls_is_dashed() -> None:
    assert "stroke-dasharray" not in drawn(edge("x/a", "x/b", 100.0))
    assert drawn(edge("x/a", "x/b", 99.9), edge("x/a", "x/c"), edge("x/b", "x/c", 0)).count("stroke-dasharray") == 2


def test_a_node_is_a_box_with_its_namespace_above_its_name() -> None:
    svg = drawn(edge("foo/web", "bar/db"))
    assert "<text x=12 y=19 class=small>foo</text><text x=12 y=37>web</text>" in svg
    assert "<text x=12 y=19 class=small>bar</text><text x=12 y=37>db</text>" in svg
    assert "<text x=12 y=19 class=small></text><text x=12 y=37>alone</text>" in drawn(edge("alone", "bar/db"))


def test_names_cannot_break_the_page() -> None:
    svg = drawn(edge("<i>/<b>", "a/&"))
    assert "<b>" not in svg and "<i>" not in svg
    assert "&lt;b&gt;" in svg and ">&amp;<" in svg
    quoted = re.sub(r"(?<= )([\w-]+)=([\w#.]+)(?=[ />])", r'\1="\2"', svg)
    assert ElementTree.fromstring(quoted).tag == "svg"


def test_boxes_do_not_overlap_and_all_lie_in_the_picture() -> None:
    svg = drawn(*(edge(f"x/{caller}", f"x/{called}") for caller in "abc" for called in "defg"), edge("x/d", "x/d"))
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size is not None
    placed = boxes(svg)
    assert sorted(placed) == list("abcdefg")
    for one, (x, y, tall) in placed.items():
        assert x > 0 and x + BOX_WIDTH < int(size[1]) and y > 0 and y + tall < int(size[2])
        below = [
            other for other, place in placed.items() if other != one and place[0] == x and y <= place[1] < y + tall
        ]
        assert below == [], one


def test_a_box_is_as_high_as_its_callers_need() -> None:
    """Lines end one below the other, in the order in which their callers stand."""
    svg = drawn(*(edge(f"x/{caller}", "x/z") for caller in "abcdefg"))
    placed = boxes(svg)
    _left, top, tall = placed["z"]
    assert tall > placed["a"][2]
    ends = [int(y) for y in re.findall(r"(\d+) H\d+ m-7", svg)]
    assert ends == sorted(ends) and len(set(ends)) == 7
    assert top < ends[0] and ends[-1] < top + tall


def test_a_line_to_itself_and_one_that_goes_back_leave_below_their_box() -> None:
    svg = drawn(edge("x/a", "x/b"), edge("x/b", "x/a"), edge("x/b", "x/b"))
    placed = boxes(svg)
    left, top, tall = placed["b"]
    bottom = top + tall
    assert f"M{left + 20},{bottom} c" in svg
    assert f"M{left + BOX_WIDTH // 2},{bottom} C" in svg
    heights = [int(y) for y in re.findall(r"text-anchor=start x=\d+ y=(\d+)", svg)]
    assert len(heights) == len(set(heights)) == 2 and min(heights) > bottom


def test_lines_are_behind_boxes_and_words_before_them() -> None:
    svg = drawn(edge("x/a", "x/b"), edge("x/b", "x/c"))
    assert svg.rindex("class=line") < svg.index("class=box") < svg.rindex("class=box") < svg.index('class="small told"')
    assert (svg.count("class=line"), svg.count("class=box"), svg.count('class="small told"')) == (2, 3, 2)
