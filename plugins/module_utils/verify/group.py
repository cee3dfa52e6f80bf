"""What a probe group is: everything that planning, running, reporting and documenting it needs, in one value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import Enum

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip


class Part(Enum):
    """What a group is about, and so where it exists."""

    CLUSTER = "cluster"
    MESH = "mesh"
    TENANTS = "tenants"
    TELEMETRY = "telemetry"


class Turn(Enum):
    """When a group runs, in this order."""

    FIRST = "first"
    # kube-proxy and DNS follow the API some moments later.
    SERVICES = "services"
    # Alone: a request that is given up among many others and sent again would be counted twice.
    COUNTED = "counted"
    # Looks for what the turns before have left.
    TELEMETRY = "telemetry"


@dataclass(frozen=True)
class Document:
    """A group's row in docs/verification.md, in Markdown."""

    source: str
    target: str
    passes: str

    def __post_init__(self) -> None:
        """Refuse a row with an empty cell."""
        for cell in fields(self):
            if not getattr(self, cell.name).strip():
                raise ValueError(f"document: {cell.name}: found nothing, expected a text for docs/verification.md")


@dataclass(frozen=True)
class Group:
    """One group of probes.

    plan: its probes, and what of it is skipped, for a scope; next_command: what a person should run next after a probe
    has failed, where ``on NAME:`` means in a shell on that host.
    agents: False = the API alone is read, so that check mode has the group too.
    traffic: its requests are what the telemetry groups look for, and are sent again while one of those fails.
    gone: why a probe that the cluster has no object for any more is skipped; empty = it remains failed.
    """

    id: str
    part: Part
    turn: Turn
    plan: Callable[[Scope], Iterator[Probe | Skip]]
    next_command: Callable[[Probe, Verdict], str]
    document: Document
    agents: bool = True
    traffic: bool = False
    gone: str = ""

    def __post_init__(self) -> None:
        """Refuse a group that says nothing of itself."""
        if not self.id:
            raise ValueError("id: found nothing, expected the group's name")
        for name in ("plan", "next_command", "document"):
            if not getattr(self, name):
                raise ValueError(f"{self.id}: {name}: found nothing, expected one")
