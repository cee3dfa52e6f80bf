"""What scenarios are run with, and the error when they cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.scenarios.model import Tenant

BATCH_SECONDS = 120.0
POLL_SECONDS = 1.0
BOTH = "both"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """The module's parameters.

    nodes: ``IPv4`` and ``IPv6`` of each; prefix: before every command that runs outside; external: port, ipv4 and ipv6
    of a server outside the cluster, empty = none; ready_seconds: how long pods may take until they are ready,
    settle_seconds: how long everything may then take until it answers.
    """

    tenants: Mapping[str, Tenant]
    nodes: Sequence[Mapping[str, str]]
    demo_image: str
    fortio_image: str
    prefix: tuple[str, ...]
    external: Json
    ready_seconds: float
    settle_seconds: float


class ScenarioError(Exception):
    """Scenarios could not be run at all; the text says why."""
