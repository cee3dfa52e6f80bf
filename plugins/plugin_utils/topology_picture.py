"""The mesh's topology as one picture: who calls whom, how much over each family, and whether by mutual TLS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

FAMILIES = ("IPv4", "IPv6")
BOX_WIDTH, BOX_HEIGHT = 210, 46
COLUMN, ROW = 400, 118
MARGIN = 24


def columns(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A column for each node: callers left of what they call. Circles are cut where they close."""
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:
        moved = False
        for source, target in edges:
            if source != target and depth[target] <= depth[source] < len(nodes) - 1:
                depth[target] = depth[source] + 1
                moved = True
        if not moved:
            break
    ranks = {value: number for number, value in enumerate(sorted(set(depth.values())))}
    return {name: ranks[value] for name, value in depth.items()}


def picture(topology: Mapping[str, Any]) -> str:
    """An SVG that takes its colors from the page; empty when there is nothing to draw."""
    nodes = [str(node["name"]) for node in topology.get("nodes", [])]
    edges = topology.get("edges", [])
    if not nodes or not edges:
        return ""
    column = columns(nodes, [(edge["from"], edge["to"]) for edge in edges])
    taken: dict[int, int] = {}
    place: dict[str, tuple[int, int]] = {}
    for name in nodes:
        row = taken.get(column[name], 0)
        taken[column[name]] = row + 1
        place[name] = MARGIN + column[name] * COLUMN, MARGIN + row * ROW
    width = max(x for x, _ in place.values()) + BOX_WIDTH + MARGIN
    height = max(y for _, y in place.values()) + ROW
    parts = [_edge(edge, place) for edge in edges] + [_box(name, *place[name]) for name in nodes]
    return (
        f'<svg class=map viewBox="0 0 {width} {height}" style="max-width:{width}px" role=img '
        'aria-label="who calls whom in the mesh">'
        f"{''.join(parts)}</svg>"
    )


def _box(name: str, x: int, y: int) -> str:
    space, _, workload = name.rpartition("/")
    return (
        f"<g transform='translate({x},{y})'><rect width={BOX_WIDTH} height={BOX_HEIGHT} rx=6 class=box />"
        f"<text x=12 y=19 class=small>{escape(space)}</text><text x=12 y=37>{escape(workload)}</text></g>"
    )


def _edge(edge: Mapping[str, Any], place: Mapping[str, tuple[int, int]]) -> str:
    """A line with its rates; the solid one is mutual TLS, the dashed one is not."""
    (x1, y1), (x2, y2) = place[edge["from"]], place[edge["to"]]
    start, end = (x1 + BOX_WIDTH, y1 + BOX_HEIGHT // 2), (x2, y2 + BOX_HEIGHT // 2)
    middle = (start[0] + end[0]) // 2
    anchor = "middle"
    if edge["from"] == edge["to"]:
        path = f"M{x1 + 20},{y1 + BOX_HEIGHT} c0,36 60,36 60,0"
        label, anchor = (x1 + 90, y1 + BOX_HEIGHT + 14), "start"
    else:
        if end[0] <= start[0]:  # back to an earlier column: from below to below
            start, end = (x1 + BOX_WIDTH // 2, y1 + BOX_HEIGHT), (x2 + BOX_WIDTH // 2, y2 + BOX_HEIGHT)
            middle = (start[0] + end[0]) // 2
            path = f"M{start[0]},{start[1]} C{start[0]},{start[1] + 40} {end[0]},{end[1] + 40} {end[0]},{end[1]}"
        else:
            path = f"M{start[0]},{start[1]} C{middle},{start[1]} {middle},{end[1]} {end[0]},{end[1]}"
        label = (middle, (start[1] + end[1]) // 2 - 34)
    secured = edge["mtls"] >= 100
    rates = [f"{family} {edge['rates'].get(family, 0):g}/s" for family in FAMILIES]
    lines = [*rates, "mutual TLS" if secured else "not all mutual TLS"]
    texts = "".join(
        f"<tspan x={label[0]} dy={14 if number else 0}>{escape(line)}</tspan>" for number, line in enumerate(lines)
    )
    style = "" if secured else " stroke-dasharray=5"
    return f'<path d="{path}" class=line{style} /><text class=small text-anchor={anchor} y={label[1]}>{texts}</text>'
