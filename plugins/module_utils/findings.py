"""What every check of this project reports: where, which field, what was found, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

Where = Callable[[str], str]  # the file that sets a variable, by its name


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong.

    where: a file (relative to the inventory), a host name, or ``host -> peer`` for a pair.
    field: the variable or fact at fault, in dotted form (``twinstack_versions.calico``).
    found: the offending value as the user would recognise it.
    expected: what would have been accepted.
    hint: the next command to try, or the change to make; empty when ``expected`` says it all.
    level: ``error`` refuses the run, ``warning`` is shown and the run goes on.
    """

    where: str
    field: str
    found: str
    expected: str
    hint: str = ""
    level: str = "error"

    def line(self) -> str:
        """The finding as one line of text for a terminal."""
        text = f"{self.where}: {self.field}: found {self.found}; expected {self.expected}"
        return f"{text}. Try: {self.hint}" if self.hint else text

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data for JSON."""
        return asdict(self)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Only the findings that refuse the run, in stable order."""
    return sorted(finding for finding in findings if finding.level == "error")


def summary(findings: Iterable[Finding], title: str) -> str:
    """All findings as a numbered list under a title, errors first."""
    ordered = sorted(findings, key=lambda finding: (finding.level != "error", finding))
    lines = [f"{title}:"]
    lines += [f"  {number}. [{item.level}] {item.line()}" for number, item in enumerate(ordered, 1)]
    return "\n".join(lines)
