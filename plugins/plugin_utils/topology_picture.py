"""The mesh's topology as one picture: who calls whom, how much over each family, and whether by mutual TLS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

FAMILIES = ("IPv4", "IPv6")
BOX_WIDTH, BOX_HEIGHT, BOX_GAP = 190, 46, 26
TURN, TOLD = 90, 225  # between two columns: where lines change their height, then as wide as what stands on one
ENTRY = 18  # between two lines that end at the same box, each with its words above it
MARGIN = 24

Place = tuple[int, int, int]  # left, top, height


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
    arriving: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in edges:
        if column[edge["from"]] < column[edge["to"]]:
            arriving[edge["to"]].append(edge["from"])
    below: dict[int, int] = {}
    place: dict[str, Place] = {}
    for name in nodes:
        top, height = below.get(column[name], MARGIN), max(BOX_HEIGHT, ENTRY * (len(arriving[name]) + 1))
        place[name] = MARGIN + column[name] * (BOX_WIDTH + TURN + TOLD), top, height
        below[column[name]] = top + height + BOX_GAP
    width = max(x for x, _, _ in place.values()) + BOX_WIDTH + MARGIN
    parts = [_box(name, *place[name]) for name in nodes]
    for edge in edges:
        callers = sorted(arriving[edge["to"]], key=lambda name: place[name][1])
        entry = callers.index(edge["from"]) if edge["from"] in callers else 0
        top, height = place[edge["to"]][1:]
        parts.append(_edge(edge, place, top + height // 2 + int((entry - (len(callers) - 1) / 2) * ENTRY)))
    return (
        f'<svg class=map viewBox="0 0 {width} {max(below.values()) + BOX_GAP}" style="max-width:{width}px" role=img '
        'aria-label="who calls whom in the mesh">'
        f"{''.join(parts)}</svg>"
    )


def _box(name: str, x: int, y: int, height: int) -> str:
    space, _, workload = name.rpartition("/")
    return (
        f"<g transform='translate({x},{y})'><rect width={BOX_WIDTH} height={height} rx=6 class=box />"
        f"<text x=12 y=19 class=small>{escape(space)}</text><text x=12 y=37>{escape(workload)}</text></g>"
    )


def _edge(edge: Mapping[str, Any], place: Mapping[str, Place], entry: int) -> str:
    """A line with its rates; the solid one is mutual TLS, the dashed one is not. entry: the height where it ends."""
    (x1, y1, height), (x2, y2, height2) = place[edge["from"]], place[edge["to"]]
    bottom, bottom2 = y1 + height, y2 + height2
    anchor = "middle"
    if edge["from"] == edge["to"]:
        line = f"M{x1 + 20},{bottom} c0,24 60,24 60,0"
        x, y, anchor = x1 + 90, bottom + 14, "start"
    elif x2 <= x1:  # back to an earlier column: from below to below
        start, end = x1 + BOX_WIDTH // 2, x2 + BOX_WIDTH // 2
        line = f"M{start},{bottom} C{start},{bottom + 40} {end},{bottom2 + 40} {end},{bottom2}"
        x, y = (start + end) // 2, (bottom + bottom2) // 2 + 36
    else:
        start, begin, turn = x1 + BOX_WIDTH, y1 + height // 2, x1 + BOX_WIDTH + TURN // 2
        line = f"M{start},{begin} C{turn},{begin} {turn},{entry} {start + TURN},{entry} H{x2} m-7,-4 l7,4 l-7,4"
        x, y, anchor = x2 - 12, entry - 6, "end"
    secured = edge["mtls"] >= 100
    rates = [f"{family} {edge['rates'].get(family, 0):g}/s" for family in FAMILIES]
    told = " · ".join([*rates, "mutual TLS" if secured else "not all mutual TLS"])
    style = "" if secured else " stroke-dasharray=5"
    return (
        f'<path d="{line}" class=line{style} />'
        f'<text class="small told" text-anchor={anchor} x={x} y={y}>{escape(told)}</text>'
    )
