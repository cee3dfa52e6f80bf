"""Writes the tables of probe groups in docs/verification.md, made from the groups themselves.

PYTHONPATH=collections .venv/bin/python tests/tools/probe_groups.py
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import GROUPS

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "verification.md"
COMMAND = "PYTHONPATH=collections .venv/bin/python tests/tools/probe_groups.py"
HEAD = "| group | from | to | passes when |\n|---|---|---|---|"


def table(part: Part) -> str:
    """The table of one part's groups, in the order of the report."""
    rows = [
        f"| `{group.id}` | {group.document.source} | {group.document.target} | {group.document.passes} |"
        for group in GROUPS
        if group.part is part
    ]
    return "\n".join([HEAD, *rows])


def with_tables(page: str) -> str:
    """The page with every part's table between its two markers. Raises ValueError when a part has no markers."""
    for part in Part:
        begin, end = (f"<!-- probe groups: {part.value}: {what} -->\n" for what in ("begin", "end"))
        before, found_begin, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            wanted = f"{begin.strip()} and {end.strip()}"
            raise ValueError(
                f"{PAGE.name}: probe groups: {part.value}: found no place for the table, expected {wanted}"
            )
        page = f"{before}{begin}{table(part)}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
