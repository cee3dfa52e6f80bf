"""The mesh's topology: out of Kiali's and Prometheus' answers, and as a picture."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.verify.topology import graph_path, rates_path, topology
from ansible_collections.twinstack.core.plugins.plugin_utils.report.topology_picture import columns, picture


def node(number: int, space: str, workload: str) -> dict[str, Any]:
    return {"data": {"id": f"n{number}", "nodeType": "workload", "namespace": space, "workload": workload}}


def edge(source: int, target: int, mtls: str = "") -> dict[str, Any]:
    data = {"source": f"n{source}", "target": f"n{target}", "traffic": {"protocol": "http"}}
    return {"data": data | ({"isMTLS": mtls} if mtls else {})}


def rate(source: str, target: str, family: str, value: str) -> dict[str, Any]:
    ends = {"source": source.split("/"), "destination": target.split("/")}
    labels = {f"{end}_workload_namespace": parts[0] for end, parts in ends.items()}
    labels |= {f"{end}_workload": parts[1] for end, parts in ends.items()}
    return {"metric": labels | {"ip_family": family}, "value": [0, value]}


GRAPH = {
    "elements": {
        "nodes": [node(0, "foo", "gateway"), node(1, "foo", "web"), node(2, "foo", "provider"), node(3, "x", "idle")],
        "edges": [edge(0, 1, "100"), edge(1, 2), edge(1, 1, "100")],
    }
}
RATES = {
    "data": {"result": [rate("foo/gateway", "foo/web", "IPv4", "1.254"), rate("foo/gateway", "foo/web", "IPv6", "2.5")]}
}


def test_edges_bear_the_requests_of_each_family() -> None:
    found = topology(GRAPH, RATES)
    assert found["nodes"] == [{"name": "foo/gateway"}, {"name": "foo/provider"}, {"name": "foo/web"}]
    first = found["edges"][0]
    assert first == {"from": "foo/gateway", "to": "foo/web", "mtls": 100.0, "rates": {"IPv4": 1.25, "IPv6": 2.5}}
    assert found["edges"][1]["mtls"] == 0.0
    assert found["edges"][1]["rates"] == {"IPv4": 0.0, "IPv6": 0.0}


def test_nothing_is_drawn_of_nothing() -> None:
    assert topology({}, {}) == {"nodes": [], "edges": []}
    assert picture({}) == picture({"nodes": [], "edges": []}) == ""


def test_the_queries() -> None:
    assert "namespaces=bar,foo&" in graph_path(["foo", "bar"])
    assert "ip_family" in rates_path()
    assert " " not in rates_path()


def test_callers_stand_left_of_what_they_call() -> None:
    column = columns(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    assert column == {"a": 0, "b": 1, "c": 2}


def test_a_circle_ends() -> None:
    assert set(columns(["a", "b"], [("a", "b"), ("b", "a"), ("a", "a")])) == {"a", "b"}


def test_rates_and_security_are_words_too() -> None:
    drawn = picture(topology(GRAPH, RATES))
    for words in ("IPv4 1.25/s", "IPv6 2.5/s", "mutual TLS", "not all mutual TLS", "stroke-dasharray", "provider"):
        assert words in drawn


def test_names_cannot_break_the_page() -> None:
    sly = {"nodes": [{"name": "a/<b>"}], "edges": [{"from": "a/<b>", "to": "a/<b>", "mtls": 0, "rates": {}}]}
    assert "<b>" not in picture(sly)


def test_words_of_a_line_to_itself_and_of_one_that_goes_back_have_room() -> None:
    """A calls B and B calls A; both call C, B calls itself, and A calls D past them."""
    pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("b", "c"), ("c", "c"), ("a", "d"), ("c", "d")]
    edges = [{"from": source, "to": target, "mtls": 100.0, "rates": {}} for source, target in pairs]
    drawn = picture({"nodes": [{"name": name} for name in "abcd"], "edges": edges})
    width = int(re.search(r'viewBox="0 0 (\d+)', drawn)[1])  # type: ignore[index]
    words = [(int(x), int(y)) for x, y in re.findall(r"text-anchor=\w+ x=(\d+) y=(\d+)", drawn)]
    assert len(words) == len(pairs)
    starts = [int(x) for x in re.findall(r"text-anchor=start x=(\d+)", drawn)]
    assert starts and all(x + 200 < width for x in starts), "a line of words is some 200 wide"
    close = [(one, two) for one in words for two in words if one < two and abs(one[1] - two[1]) < 12]
    assert [pair for pair in close if abs(pair[0][0] - pair[1][0]) < 200] == []
    assert drawn.rindex("class=line") < drawn.index("class=box") < drawn.index('class="small told"')
