"""Why a module of hosts refuses: the host's half of ``findings``, of which a host gets no code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Reason:
    """One thing that is wrong on this host.

    where: a file, mount point, image or node. field: what of it. found, expected: the value and what would be accepted.
    hint: the next command; empty when ``expected`` says it all.
    """

    where: str
    field: str
    found: str
    expected: str
    hint: str = ""

    def line(self) -> str:
        """The reason as one line of text, as ``Finding.line`` of the controller has it."""
        text = f"{self.where}: {self.field}: found {self.found}; expected {self.expected}"
        return f"{text}. Try: {self.hint}" if self.hint else text


def refusal(reasons: Iterable[Reason], what: str) -> str:
    """All reasons at once, numbered. what: what they keep the module from (``to reset this host``)."""
    ordered = sorted(set(reasons))
    title = f"{len(ordered)} reason{'' if len(ordered) == 1 else 's'} not {what}:"
    return "\n".join([title, *(f"  {number}. {reason.line()}" for number, reason in enumerate(ordered, 1))])
