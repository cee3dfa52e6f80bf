"""The desired state of one host as typed data, and one difference from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileSpec:
    """One path and what should be there.

    state: ``file`` (content is text), ``directory``, ``link`` (content is the target) or ``absent``.
    block: when not empty, only the lines between two markers of that name are ours (``/etc/hosts``).
    secret: the content never appears in a diff.
    """

    path: str
    state: str = "file"
    content: str = ""
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    block: str = ""
    secret: bool = False


@dataclass(frozen=True)
class UnitSpec:
    """One systemd unit: enabled at boot, running now, restarted when a watched path changed since its last start.

    running_if: a path; where it is there, the unit must run, whatever running says.
    """

    name: str
    enabled: bool = True
    running: bool = True
    watch: tuple[str, ...] = ()
    running_if: str = ""

    @property
    def must_run(self) -> bool:
        """Whether it must run on this host now."""
        return self.running or bool(self.running_if and os.path.exists(self.running_if))


@dataclass
class DesiredState:
    """The desired state of a host in one call. cluster: when not empty, whose host the record says that it is."""

    packages: list[dict[str, str]] = field(default_factory=list)
    package_archive: str = ""
    files: list[FileSpec] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    swap_off: bool = False
    units: list[UnitSpec] = field(default_factory=list)
    cluster: str = ""


@dataclass(frozen=True)
class Step:
    """One difference between found and desired state, with the function that removes it."""

    kind: str
    name: str
    before: str
    after: str
    apply: Callable[[], None]
