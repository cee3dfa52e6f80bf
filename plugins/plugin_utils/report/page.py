"""A verification's report for people and for tools: a table of text, JUnit XML, and one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.plugin_utils.report import (
    comparison,
    scenario_pictures,
    topology_picture,
)

STYLE = """
:root{color-scheme:light dark;--ok:#1a7f37;--okbg:#1a7f3722;--bad:#c62828;--badbg:#c6282822;--line:#8884;--dim:#777;
--bar:#3b76c4;--six:#c46b00}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1.5rem}
h1{margin:0;font-size:1.3rem;font-weight:500}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}h3{margin:0 0 .4rem}
.verdict{font-size:1.9rem;font-weight:650;margin:.1rem 0 .3rem}.ok{color:var(--ok)}.bad{color:var(--bad)}
.dim{color:var(--dim)}.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem 2.5rem}
table{border-collapse:collapse;width:100%}td,th{border:1px solid var(--line);padding:.35rem .6rem;font-weight:400}
td{text-align:center;font-variant-numeric:tabular-nums}th{color:var(--dim);text-align:left}
td.ok{background:var(--okbg)}td.bad{background:var(--badbg);font-weight:600}td small{color:var(--dim);display:block}
code{font:.85rem ui-monospace,monospace;background:var(--line);padding:.1rem .35rem;border-radius:3px}
.fail{border-left:4px solid var(--bad);padding:.1rem 0 .1rem .8rem;margin:.8rem 0}
.bar{display:inline-block;height:.75rem;background:var(--bar);border-radius:2px;vertical-align:middle;min-width:2px}
.time td{border:0;text-align:left;padding:.12rem .6rem}.time td:nth-child(2){text-align:right;white-space:nowrap}
.time td:last-child{width:75%}details{margin:.3rem 0}summary{cursor:pointer}details .pair{margin:.6rem 0 1.2rem}
svg.map{width:100%;height:auto;max-height:46rem;font:13px system-ui,sans-serif}.map text{fill:currentColor}
.map .back{fill:Canvas}.map .box{fill:var(--okbg);stroke:var(--line)}.map .small{font-size:11px;fill:var(--dim)}
.map .line{fill:none;stroke:var(--bar);stroke-width:1.6}.map .lane{stroke:var(--line);fill:none}
.map .four{stroke:var(--bar)}.map .six{stroke:var(--six);stroke-dasharray:6 3}.map .sum{stroke-width:3;stroke:var(--ok)}
.map .refused{stroke-width:.8}.map .limit{stroke:var(--bad);stroke-dasharray:2 4;fill:none}.map .wrong{fill:var(--bad)}
.map .told{paint-order:stroke;stroke:Canvas;stroke-width:4px}
.map .span{fill:var(--bar)}.map tspan.sum{stroke:none;fill:var(--ok)}ul.steps{margin:.2rem 0;padding-left:1.2rem}
@media print{details>*{display:block}body{max-width:none;margin:0}h2,h3,h4{break-after:avoid}svg,tr{break-inside:avoid}
 details::details-content{content-visibility:visible}}
@media(max-width:50rem){.pair{grid-template-columns:1fr}}
"""


# What a report holds before anything was verified.
EMPTY: dict[str, Any] = {
    "schema": 1,
    "cluster": "",
    "started": "",
    "seconds": 0.0,
    "ok": True,
    "versions": {},
    "settings": {},
    "nodes": [],
    "probes": [],
    "skipped": [],
}


def groups(probes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the probes' groups in their first order."""
    return list(dict.fromkeys(probe["group"] for probe in probes))


def score(probes: Sequence[Mapping[str, Any]], group: str, family: str) -> tuple[int, int]:
    """(passed, all) of one group and family."""
    chosen = [probe for probe in probes if probe["group"] == group and probe["family"] == family]
    return sum(1 for probe in chosen if probe["ok"]), len(chosen)


def summary(report: Mapping[str, Any]) -> str:
    """A table per family, then every failure with its next command."""
    lines = [f"{'':16}" + "".join(f"{family:>12}" for family in FAMILIES)]
    for group in groups(report["probes"]):
        cells = [score(report["probes"], group, family) for family in FAMILIES]
        lines.append(f"{group:16}" + "".join(f"{f'{good}/{total}':>12}" for good, total in cells))
    for result in report.get("scenarios", []):
        verdict = "passed" if result["ok"] else "FAILED"
        counted = f"{result['got']}/{result['sent']}"
        lines.append(f"{result['id']:4}{result['family']:5} {verdict} {counted:>9}  {result['title']}")
    for result, step in _wrong_steps(report):
        lines.append(f"FAILED {result['id']} {result['family']}: {step['title']}: {step['detail']}")
    for probe in report["probes"]:
        if not probe["ok"]:
            lines.append(f"FAILED {probe['id']}: {probe['detail']}. Try: {probe['next']}")
    lines += [still_holds(report)] if still_holds(report) else []
    lines += [f"not probed: {item['group']}: {item['reason']}" for item in report["skipped"]]
    return "\n".join(lines)


def _wrong_steps(report: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(result, step) for result in report.get("scenarios", []) for step in result["steps"] if not step["ok"]]


def still_holds(report: Mapping[str, Any]) -> str:
    """That the last verification still holds, in words; empty for a new one."""
    check = report.get("again")
    if not check:
        return ""
    counts = " and ".join(f"{count} {family}" for family, count in check["ways"].items())
    return f"verified {report['started']}; checked {check['seen']}: unchanged since, {counts} endpoints reachable"


def junit(report: Mapping[str, Any]) -> bytes:
    """JUnit XML: a suite per family, a case per probe."""
    root = ElementTree.Element("testsuites", name=str(report["cluster"]))
    for family in FAMILIES:
        probes = [probe for probe in report["probes"] if probe["family"] == family]
        failures = sum(1 for probe in probes if not probe["ok"])
        suite = ElementTree.SubElement(
            root, "testsuite", name=family, tests=str(len(probes)), failures=str(failures), errors="0"
        )
        for probe in probes:
            seconds = (probe["milliseconds"] or 0) / 1000
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{family}.{probe['group']}", name=probe["id"], time=f"{seconds:.3f}"
            )
            if not probe["ok"]:
                ElementTree.SubElement(case, "failure", message=str(probe["detail"])).text = str(probe["next"])
    for result in report.get("scenarios", []):
        failed = [step for step in result["steps"] if not step["ok"]]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"{result['id']} {result['family']}",
            tests=str(len(result["steps"])),
            failures=str(len(failed)),
            errors="0",
        )
        for step in result["steps"]:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{result['family']}.{result['id']}", name=step["title"], time="0.000"
            )
            if not step["ok"]:
                ElementTree.SubElement(case, "failure", message=str(step["detail"])).text = str(step["detail"])
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def matrix(probes: Sequence[Mapping[str, Any]], sources: Sequence[str], targets: Sequence[str]) -> str:
    """A table from each source to each target; a cell counts what passed and names the slowest in milliseconds."""
    head = "".join(f"<th>{escape(target)}</th>" for target in targets)
    rows = []
    for source in sources:
        cells = []
        for target in targets:
            chosen = [probe for probe in probes if (str(probe["from"]), str(probe["to"])) == (source, target)]
            cells.append(_cell(chosen))
        rows.append(f"<tr><th>{escape(source)}</th>{''.join(cells)}</tr>")
    return f"<table><tr><th>from \\ to</th>{head}</tr>{''.join(rows)}</table>"


def _cell(probes: Sequence[Mapping[str, Any]]) -> str:
    if not probes:
        return "<td></td>"
    failed = [probe for probe in probes if not probe["ok"]]
    if failed:
        told = escape("\n".join(f"{probe['title']}: {probe['detail']}" for probe in failed), quote=True)
        return f'<td class="bad" title="{told}">✗ {len(failed)} of {len(probes)}</td>'
    slowest = max((probe["milliseconds"] or 0 for probe in probes), default=0)
    told = escape("\n".join(f"{probe['title']}: {probe['detail']}" for probe in probes), quote=True)
    time = f"<small>{slowest:.0f} ms</small>" if slowest else ""
    return f'<td class="ok" title="{told}">✓ {len(probes)}{time}</td>'


def _names(probes: Sequence[Mapping[str, Any]], field: str) -> list[str]:
    return list(dict.fromkeys(str(probe[field]) for probe in probes))


def _pair(probes: Sequence[Mapping[str, Any]], sources: Sequence[str], targets: Sequence[str]) -> str:
    """The same table for each family, side by side."""
    halves = []
    for family in FAMILIES:
        chosen = [probe for probe in probes if probe["family"] == family]
        good = sum(1 for probe in chosen if probe["ok"])
        color = "ok" if good == len(chosen) else "bad"
        table = matrix(chosen, sources, targets)
        halves.append(f"<div><h3>{family} <span class={color}>{good}/{len(chosen)}</span></h3>{table}</div>")
    return f"<div class=pair>{''.join(halves)}</div>"


def _times(phases: Sequence[Mapping[str, Any]]) -> str:
    longest = max(float(phase["seconds"]) for phase in phases) or 1.0
    rows = [
        f"<tr><td>{escape(str(phase['name']))}</td><td>{phase['seconds']:.1f} s</td>"
        f'<td><span class=bar style="width:{100 * float(phase["seconds"]) / longest:.1f}%"></span></td></tr>'
        for phase in phases
    ]
    return f"<h2>Where the time went</h2><table class=time>{''.join(rows)}</table>"


def _nodes(report: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><th>{escape(node['name'])}</th><td>{escape(', '.join(node['roles']))}</td>"
        f"<td>{escape(node['ipv4'] or 'none')}</td><td>{escape(node['ipv6'] or 'none')}</td></tr>"
        for node in report["nodes"]
    ]
    head = "<tr><th>node</th><th>role</th><th>IPv4</th><th>IPv6</th></tr>"
    return f"<h2>Nodes</h2><table>{head}{''.join(rows)}</table>"


def _images(report: Mapping[str, Any]) -> str:
    """Everything that runs, by image and digest."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(digest)}</code></td></tr>"
        for name, digest in report.get("images", {}).items()
    )
    return f"<details><summary>images and digests</summary><table>{rows}</table></details>" if rows else ""


def _comparison(found: Mapping[str, Any]) -> str:
    """Three ways to dual stack, measured: table and plot."""
    head = "".join(f"<th>{escape(words)}</th>" for words in ("apps", "way", *comparison.COLUMNS.values()))
    rows = "".join(
        f"<tr><td>{item['services']}</td><th>{escape(comparison.WAYS[item['way']])}</th>"
        + "".join(f"<td>{item['counts'][name]}</td>" for name in comparison.COLUMNS)
        + "</tr>"
        for item in found["results"]
    )
    return (
        f"<h2>Three ways to dual stack, compared</h2><p class=dim>What istiod sends to one proxy. "
        f"{escape(comparison.NOTE.strip())} Measured {escape(found['measured'])}.</p>"
        f"<table><tr>{head}</tr>{rows}</table>{comparison.plot(found['results'])}"
    )


def _scenarios(report: Mapping[str, Any]) -> str:
    """Scenario by scenario: a table of all, then what was sent, what came back, and what it looked like."""
    results = report.get("scenarios", [])
    if not results:
        return ""
    ids = list(dict.fromkeys(str(result["id"]) for result in results))
    columns = (*FAMILIES, "both")
    rows = []
    for name in ids:
        chosen = {result["family"]: result for result in results if result["id"] == name}
        cells = "".join(_scenario_cell(chosen.get(family)) for family in columns)
        title = escape(str(next(iter(chosen.values()))["title"]))
        rows.append(f"<tr><th><a href='#{escape(name)}'>{escape(name)}</a> {title}</th>{cells}</tr>")
    head = "".join(f"<th>{column}</th>" for column in columns)
    parts = [f"<h2>Scenarios</h2><table><tr><th></th>{head}</tr>{''.join(rows)}</table>"]
    for name in ids:
        parts.append(_scenario([result for result in results if result["id"] == name]))
    return "".join(parts)


def _scenario_cell(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "<td></td>"
    mark, look = ("✓", "ok") if result["ok"] else ("✗", "bad")
    return f'<td class="{look}">{mark} {result["got"]} of {result["sent"]}<small>{result["seconds"]:.1f} s</small></td>'


def _scenario(results: Sequence[Mapping[str, Any]]) -> str:
    first = results[0]
    parts = [f"<h3 id='{escape(str(first['id']))}'>{escape(str(first['id']))} {escape(str(first['title']))}</h3>"]
    parts.append(scenario_pictures.sequence(results))
    for result in results:
        for step in result["steps"]:
            if "load" in step:
                parts.append(f"<p class=dim>{escape(step['title'])}</p>{scenario_pictures.load_plot(step['load'])}")
    traced = next((result for result in results if result.get("trace")), None)
    if traced:
        parts.append(f"<p class=dim>One trace, over {escape(traced['family'])}</p>")
        parts.append(scenario_pictures.waterfall(traced["trace"]))
    listed = "".join(
        f"<li class={'ok' if step['ok'] else 'bad'}>{'✓' if step['ok'] else '✗'} {escape(result['family'])}: "
        f"{escape(step['title'])}: {escape(step['detail'])}</li>"
        for result in results
        for step in result["steps"]
    )
    opened = "" if all(result["ok"] for result in results) else " open"
    parts.append(f"<details{opened}><summary>step by step</summary><ul class=steps>{listed}</ul></details>")
    return "".join(parts)


def _words(value: Any) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value)


def page(report: Mapping[str, Any]) -> str:
    """The whole page, which needs nothing but itself. report: with ``run``, name and seconds of each phase of the run,
    which those of the verification itself follow.
    """
    probes = report["probes"]
    failed = [probe for probe in probes if not probe["ok"]]
    verdict = f"{len(failed)} of {len(probes)} probes failed" if failed else f"every probe passed: {len(probes)}"
    results = report.get("scenarios", [])
    if results:
        wrong = sorted({str(result["id"]) for result in results if not result["ok"]})
        count = len({result["id"] for result in results})
        verdict += f"; {', '.join(wrong)} went otherwise" if wrong else f"; {count} scenarios as expected"
    versions = " · ".join(f"{key} {value}" for key, value in report["versions"].items())
    settings = " · ".join(f"{key.replace('_', ' ')} {_words(value)}" for key, value in report["settings"].items())
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(report['cluster'])}: {verdict}</title>",
        "<meta name=viewport content='width=device-width'>",
        f"<style>{STYLE}</style><h1>{escape(report['cluster'])}</h1>",
        f'<p class="verdict {"ok" if report["ok"] else "bad"}">{verdict}</p>',
        f"<p>{escape(still_holds(report))}</p>" if still_holds(report) else "",
        f"<p class=dim>{escape(report['started'])}, {report['seconds']:.0f} s<br>{escape(versions)}<br>",
        f"{escape(settings)}</p>",
    ]
    for probe in failed:
        parts.append(
            f"<div class=fail><b>{escape(probe['id'])}</b> {escape(probe['title'])}<br>{escape(probe['detail'])}<br>"
            f"<code>{escape(probe['next'])}</code></div>"
        )
    parts.append(_scenarios(report))
    nodes = [str(node["name"]) for node in report["nodes"]]
    between = [probe for probe in probes if probe["from"] in nodes and probe["to"] in nodes]
    if between:
        parts.append(f"<h2>Host by host</h2>{_pair(between, nodes, nodes)}")
    drawn = topology_picture.picture(report.get("topology") or {})
    if drawn:
        parts.append(f"<h2>Who called whom</h2>{drawn}<p class=dim>Requests a second of the last two minutes.</p>")
    parts.append("<h2>Check by check</h2>")
    for group in groups(probes):
        chosen = [probe for probe in probes if probe["group"] == group]
        scores = []
        for family in FAMILIES:
            good, total = score(probes, group, family)
            scores.append(f"{family} <span class={'ok' if good == total else 'bad'}>{good}/{total}</span>")
        opened = " open" if any(not probe["ok"] for probe in chosen) else ""
        tables = _pair(chosen, _names(chosen, "from"), _names(chosen, "to"))
        parts.append(
            f"<details{opened}><summary><b>{escape(group)}</b> {' · '.join(scores)}</summary>{tables}</details>"
        )
    parts += [f"<p class=dim>not probed: {escape(i['group'])}: {escape(i['reason'])}</p>" for i in report["skipped"]]
    if report.get("comparison"):
        parts.append(_comparison(report["comparison"]))
    parts.append(_nodes(report))
    parts.append(_images(report))
    own = [{"name": f"verification: {name}", "seconds": took} for name, took in report.get("phases", {}).items()]
    spent: dict[str, float] = {}
    for result in results:
        spent[str(result["id"])] = max(spent.get(str(result["id"]), 0.0), float(result["seconds"]))
    own += [{"name": f"scenario {name}", "seconds": took} for name, took in spent.items()]
    phases = [*report.get("run", []), *own]
    if phases:
        parts.append(_times(phases))
    return "".join(parts) + "</html>\n"
