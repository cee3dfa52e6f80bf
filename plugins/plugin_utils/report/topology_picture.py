"""The mesh's topology as one picture: who calls whom, how much over each family, and whether by mutual TLS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES

BOX_WIDTH, BOX_HEIGHT, BOX_GAP = 190, 46, 26
TURN, TOLD = 90, 225  # between two columns: where lines change their height, then as wide as what stands on one
ENTRY = 18  # between two lines that end at the same box, each with its words above it
LOOP, LINE = 36, 14  # below a box from which lines go back or to itself, and more for the words of each
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
    returning: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in edges:
        if column[edge["from"]] >= column[edge["to"]]:
            returning[edge["from"]].append(edge["to"])
    below: dict[int, int] = {}
    place: dict[str, Place] = {}
    for name in nodes:
        top, height = below.get(column[name], MARGIN), max(BOX_HEIGHT, ENTRY * (len(arriving[name]) + 1))
        place[name] = MARGIN + column[name] * (BOX_WIDTH + TURN + TOLD), top, height
        loops = LOOP + LINE * len(returning[name]) if returning[name] else 0
        below[column[name]] = top + height + BOX_GAP + loops
    lines, texts = [], []
    for edge in edges:
        source, target = edge["from"], edge["to"]
        _, top, height = place[target]
        if target in returning[source]:
            end = place[source][1] + place[source][2] + LOOP + LINE * returning[source].index(target)
        else:
            callers = sorted(arriving[target], key=lambda name: place[name][1])
            end = top + height // 2 + int((callers.index(source) - (len(callers) - 1) / 2) * ENTRY)
        line, text = _edge(edge, place, end)
        lines.append(line)
        texts.append(text)
    width = max(x + (TOLD if returning[name] else BOX_WIDTH) for name, (x, _, _) in place.items()) + MARGIN
    boxes = [_box(name, *place[name]) for name in nodes]  # over lines that pass behind, and under words
    return (
        f'<svg class=map viewBox="0 0 {width} {max(below.values()) + BOX_GAP}" style="max-width:{width}px" role=img '
        'aria-label="who calls whom in the mesh">'
        f"{''.join([*lines, *boxes, *texts])}</svg>"
    )


def _box(name: str, x: int, y: int, height: int) -> str:
    space, _, workload = name.rpartition("/")
    return (
        f"<g transform='translate({x},{y})'><rect width={BOX_WIDTH} height={height} rx=6 class=back />"
        f"<rect width={BOX_WIDTH} height={height} rx=6 class=box />"
        f"<text x=12 y=19 class=small>{escape(space)}</text><text x=12 y=37>{escape(workload)}</text></g>"
    )


def _edge(edge: Mapping[str, Any], place: Mapping[str, Place], height: int) -> tuple[str, str]:
    """A line, and its words; the solid one is mutual TLS, the dashed one is not.

    height: where a line arrives, with its words above; of a line that goes back or to itself, where its words stand,
    below the box that it leaves.
    """
    (x1, y1, tall), (x2, y2, tall2) = place[edge["from"]], place[edge["to"]]
    bottom, bottom2 = y1 + tall, y2 + tall2
    x, y, anchor = x1, height, "start"
    if edge["from"] == edge["to"]:
        line = f"M{x1 + 20},{bottom} c0,24 60,24 60,0"
    elif x2 <= x1:  # back to an earlier column: from below to below
        start, end = x1 + BOX_WIDTH // 2, x2 + BOX_WIDTH // 2
        line = f"M{start},{bottom} C{start},{bottom + 40} {end},{bottom2 + 40} {end},{bottom2} m-4,7 l4,-7 l4,7"
    else:
        start, begin, turn = x1 + BOX_WIDTH, y1 + tall // 2, x1 + BOX_WIDTH + TURN // 2
        line = f"M{start},{begin} C{turn},{begin} {turn},{height} {start + TURN},{height} H{x2} m-7,-4 l7,4 l-7,4"
        x, y, anchor = x2 - 12, height - 6, "end"
    secured = edge["mtls"] >= 100
    rates = [f"{family} {edge['rates'].get(family, 0):g}/s" for family in FAMILIES]
    told = " · ".join([*rates, "mutual TLS" if secured else "not all mutual TLS"])
    style = "" if secured else " stroke-dasharray=5"
    return (
        f'<path d="{line}" class=line{style} />',
        f'<text class="small told" text-anchor={anchor} x={x} y={y}>{escape(told)}</text>',
    )
