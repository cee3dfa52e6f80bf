"""Pictures of scenarios for the report: who called whom, what a limit let through over time, one trace. SVG as text.

Colors come from the page; families and outcomes also differ in dashes, shapes and words, for whoever sees no colors.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

LANE, ROW, HEAD, LEFT = 190, 34, 40, 20
PLOT_WIDTH, PLOT_HEIGHT, PLOT_LEFT, PLOT_BOTTOM = 560, 170, 44, 28
TRACE_WIDTH, TRACE_LEFT, TRACE_ROW, TRACE_LETTERS = 420, 430, 20, 72
FAMILY_CLASS = {"IPv4": "four", "IPv6": "six"}

Json = Mapping[str, Any]


def lanes(steps: Sequence[Json]) -> list[str]:
    """Who takes part, callers left of what they call. A request from outside enters by a gateway."""
    found: list[str] = []
    for step in steps:
        for name in path(step):
            if name not in found:
                found.append(name)
    return found


def path(step: Json) -> list[str]:
    """Names along one request: where it starts, the gateway, and every service that answered."""
    start = ["outside", f"gateway of {step['tenant']}"] if step.get("place") == "outside" else [str(step.get("place"))]
    return [*start, *(str(hop["who"]).partition(" ")[0] for hop in step.get("hops", []))]


def sequence(results: Sequence[Json]) -> str:
    """Every request of one scenario as arrows between lanes, with the family and the version that answered."""
    steps = [{**step, "family": result["family"]} for result in results for step in result["steps"] if "place" in step]
    names = lanes(steps)
    if len(names) < 2:
        return ""
    place = {name: LEFT + 60 + number * LANE for number, name in enumerate(names)}
    parts = [
        f"<text x={x} y=18 text-anchor=middle>{escape(name)}</text>"
        f'<path d="M{x},26 V{HEAD + ROW * len(steps)}" class=lane />'
        for name, x in place.items()
    ]
    for number, step in enumerate(steps):
        parts.append(_arrows(step, HEAD + ROW * number + 20, place))
    width, height = max(place.values()) + 480, HEAD + ROW * len(steps) + 10
    label = f"requests of {results[0]['id']}"
    return (
        f'<svg class="map seq" viewBox="0 0 {width} {height}" style="max-width:{width}px;max-height:none" role=img '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _arrows(step: Json, y: int, place: Mapping[str, int]) -> str:
    names, look = path(step), FAMILY_CLASS.get(str(step["family"]), "")
    parts = []
    for caller, called in itertools.pairwise(names):
        x1, x2 = place[caller], place[called]
        back = -7 if x2 > x1 else 7
        parts.append(f'<path d="M{x1},{y} H{x2} m{back},-4 l{-back},4 l{back},4" class="line {look}" />')
    end = max(place[name] for name in names)
    answered = ", ".join(str(hop["who"]) for hop in step.get("hops", []))
    if not answered or "%" in str(step["detail"]):  # of a share, every answer counts
        answered = str(step["detail"]).partition(";")[0][:80]  # all of it stands under the picture
    if len(names) == 1:  # no arrow shows the request
        asked = str(step["title"]).partition(" with ")[0]
        answered = f"{asked.partition(' → ')[2] or asked}: {answered}"
    mark = "✓" if step["ok"] else "✗"
    told = f"{step['family']} {mark} {answered}"
    headers = str(step["title"]).partition(" with ")[2]
    parts.append(
        f'<text x={end + 12} y={y + 4} class="small{"" if step["ok"] else " wrong"}">{escape(told)}'
        f"{f' · {escape(headers)}' if headers else ''}</text>"
    )
    return "".join(parts)


def load_plot(load: Json) -> str:
    """Requests a second that were accepted and refused, by family, with the limit drawn in."""
    seconds = int(load["seconds"])
    series = {
        (family, what): {int(key): int(value) for key, value in load["series"][family][what].items()}
        for family in load["series"]
        for what in ("accepted", "refused")
    }
    total = [sum(series[family, "accepted"].get(second, 0) for family in load["series"]) for second in range(seconds)]
    top = max([load["limit"] * load["buckets"], *total, *(v for one in series.values() for v in one.values())]) * 1.15

    def x(second: float) -> float:
        return PLOT_LEFT + second * PLOT_WIDTH / max(1, seconds - 1)

    def y(value: float) -> float:
        return PLOT_HEIGHT - value * (PLOT_HEIGHT - 12) / top

    def line(values: Mapping[int, int], look: str) -> str:
        points = " ".join(f"{x(second):.1f},{y(values.get(second, 0)):.1f}" for second in range(seconds))
        return f'<polyline points="{points}" class="line {look}" />'

    parts = [f'<path d="M{PLOT_LEFT},8 V{PLOT_HEIGHT} H{PLOT_LEFT + PLOT_WIDTH}" class=lane />']
    for number in range(1, int(load["buckets"]) + 1):
        height = y(load["limit"] * number)
        pods = f"{number} pod{'s' if number > 1 else ''}"
        parts.append(f'<path d="M{PLOT_LEFT},{height:.1f} h{PLOT_WIDTH}" class=limit />')
        told = f"limit of {pods}: {load['limit'] * number}/s"
        parts.append(f"<text x={PLOT_LEFT + PLOT_WIDTH + 8} y={height + 4:.1f} class=small>{told}</text>")
    parts.append(line(dict(enumerate(total)), "sum"))
    legend = ["<tspan class=sum>━ accepted in both families</tspan>"]
    for family in load["series"]:
        look = FAMILY_CLASS[family]
        parts.append(line(series[family, "accepted"], look))
        parts.append(line(series[family, "refused"], f"{look} refused"))
        legend.append(f"<tspan>{'─' if family == 'IPv4' else '╌'} {family} (thin: refused with 429)</tspan>")
    for second in range(0, seconds, max(1, seconds // 8)):
        parts.append(f"<text x={x(second):.1f} y={PLOT_HEIGHT + 16} class=small text-anchor=middle>{second} s</text>")
    parts.append(f"<text x=4 y=14 class=small>{top:.0f}/s</text>")
    parts.append(f"<text x={PLOT_LEFT} y={PLOT_HEIGHT + PLOT_BOTTOM + 8} class=small>{' · '.join(legend)}</text>")
    width, height = PLOT_LEFT + PLOT_WIDTH + 170, PLOT_HEIGHT + PLOT_BOTTOM + 14
    return (
        f'<svg class="map plot" viewBox="0 0 {width} {height}" style="max-width:{width}px" role=img '
        f'aria-label="accepted and refused requests a second">{"".join(parts)}</svg>'
    )


def waterfall(spans: Sequence[Json]) -> str:
    """One trace: every span where it began and as long as it took."""
    if not spans:
        return ""
    end = max(span["start"] + span["milliseconds"] for span in spans) or 1.0
    parts = []
    for number, span in enumerate(spans):
        y, x = number * TRACE_ROW, TRACE_LEFT + span["start"] * TRACE_WIDTH / end
        width = max(2.0, span["milliseconds"] * TRACE_WIDTH / end)
        name = f"{span['service']}: {span['name']}"
        parts.append(
            f"<text x=0 y={y + 14} class=small>{escape(name[:TRACE_LETTERS])}</text>"
            f"<rect x={x:.1f} y={y + 4} width={width:.1f} height={TRACE_ROW - 8} class=span />"
            f"<text x={x + width + 6:.1f} y={y + 14} class=small>{span['milliseconds']:g} ms</text>"
        )
    width, height = TRACE_LEFT + TRACE_WIDTH + 90, len(spans) * TRACE_ROW + 6
    return (
        f'<svg class="map trace" viewBox="0 0 {width} {height}" style="max-width:{width}px" role=img '
        f'aria-label="one trace">{"".join(parts)}</svg>'
    )
