"""Packages that the install brought: those that others need by now stay, the rest is purged."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command

DPKG: tuple[str, ...] = ("dpkg",)
QUERY: tuple[str, ...] = ("dpkg-query",)
# What dpkg says of each package that it cannot remove, and of each other one that keeps it from that.
BLOCKED = re.compile(r"^dpkg: dependency problems prevent removal of (?P<name>\S+?)(?::\w+)?:$")
DEPENDANT = re.compile(r"^ (?P<name>\S+?)(?::\w+)? (?:pre-)?depends on ")


def parse_packages(text: str) -> list[str]:
    """Packages that are installed or have left configuration, out of dpkg-query's ``package<TAB>status`` lines."""
    rows = (line.split("\t") for line in text.splitlines())
    return sorted(row[0] for row in rows if len(row) == 2 and row[1].strip()[1:2] not in ("n", ""))


def parse_blocked(text: str) -> dict[str, list[str]]:
    """Packages that dpkg does not remove, each with those that need it, out of its messages."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        blocked, dependant = BLOCKED.match(line), DEPENDANT.match(line)
        if blocked:
            name = blocked["name"]
            found.setdefault(name, [])
        elif dependant and name:
            found[name].append(dependant["name"])
        elif not line.startswith(" "):
            name = ""
    return {name: sorted(set(dependants)) for name, dependants in found.items()}


def needed(names: Sequence[str]) -> dict[str, list[str]]:
    """Those of these packages that stay, each with the packages that need it; dpkg simulates and changes nothing.

    What stays needs others in turn, so it is asked until it has nothing against the rest. What else is wrong with a
    package, its purge says.
    """
    kept: dict[str, list[str]] = {}
    while left := [name for name in names if name not in kept]:
        done = subprocess.run(
            [*DPKG, "--dry-run", "--purge", *left],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        blocked = {name: why for name, why in parse_blocked(done.stderr).items() if name in left}
        if done.returncode == 0 or not blocked:
            break
        kept |= blocked
    return kept


def present(record: Record) -> list[str]:
    """Packages that we had installed and that have not gone since."""
    if not record["packages"]:
        return []
    query = [*QUERY, "--show", "--showformat=${Package}\t${db:Status-Abbrev}\n", *record["packages"]]
    # It also prints something when it fails, as with one unknown name.
    return parse_packages(network.output(["sh", "-c", '"$@" 2>/dev/null; exit 0', "sh", *query]))


def find_kept(record: Record) -> list[str]:
    """Packages that stay because others need them, and which those are."""
    return [f"package {name}, needed by {', '.join(why)}" for name, why in sorted(needed(present(record)).items())]


def find_packages(record: Record) -> list[str]:
    """Packages that we had installed and that nobody else needs."""
    names = present(record)
    kept = needed(names)
    return [name for name in names if name not in kept]


def purge_packages(_record: Record, names: list[str]) -> None:
    """Purge all of them in one call, in the order that dpkg finds right."""
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    host_command.run([*DPKG, "--purge", *names])
