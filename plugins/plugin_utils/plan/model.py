"""The plan of a run: what it would do on every host and in the cluster, as lines of text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.plan.notes import Note

SCHEMA = 1
NOTHING = "nothing"
LISTED = 12  # names of one kind of change that are shown; the others are counted, and in plan.json
DONE = " restarted"  # how host_state's steps on units end


@dataclass(frozen=True)
class HostPlan:
    """One host. action: ``nothing``, ``install``, ``create the cluster``, ``join``, ``go on`` or ``reconcile``."""

    name: str
    action: str
    steps: tuple[str, ...] = ()

    @property
    def restarts(self) -> tuple[str, ...]:
        """Units that restart."""
        return tuple(step.removeprefix("unit ").removesuffix(DONE) for step in self.steps if step.endswith(DONE))


@dataclass(frozen=True)
class Plan:
    """settings: changes of living settings, a line each. unknown: what could not be compared, and why."""

    cluster: str
    hosts: tuple[HostPlan, ...]
    settings: tuple[str, ...] = ()
    parts: tuple[Note, ...] = ()
    unknown: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether the run would change nothing that it knows of."""
        return (
            all(host.action == NOTHING for host in self.hosts)
            and not self.settings
            and not self.unknown
            and not any((part.created, part.changed, part.deleted) != ([], [], []) for part in self.parts)
        )


def action(node: Mapping[str, Any], first_control_plane: bool, steps: Sequence[str]) -> str:
    """What a run does on a host. node: what host_probe says of our kubeadm record there; empty on a bare host."""
    if not node:
        return "install, create the cluster" if first_control_plane else "install, join"
    if not node.get("finished"):
        return "go on with creating the cluster" if first_control_plane else "go on with joining"
    return "reconcile" if steps else NOTHING


def make(
    cluster: str,
    nodes: Mapping[str, Mapping[str, Any]],
    control_plane: Sequence[str],
    notes: Iterable[Note],
    settings: Mapping[str, Sequence[str]],
    unknown: Sequence[str],
) -> Plan:
    """The plan.

    nodes: of each host of the inventory, what host_probe says of our record there. notes: of the tasks in check mode.
    settings: components that restart by host for a changed setting; under an empty name what changes, as lines.
    """
    noted = list(notes)
    steps = {
        name: [step for note in noted if note.host == name for step in note.steps]
        + [f"{component}{DONE}" for component in settings.get(name, ())]
        for name in nodes
    }
    hosts = tuple(
        HostPlan(name, action(node, name in control_plane[:1], steps[name]), tuple(dict.fromkeys(steps[name])))
        for name, node in nodes.items()
    )
    parts = tuple(_merged(name, noted) for name in dict.fromkeys(note.part for note in noted if note.part))
    return Plan(cluster, hosts, tuple(settings.get("", ())), parts, tuple(unknown))


def _merged(part: str, notes: Sequence[Note]) -> Note:
    """What all tasks of one apply set would do, each thing once: some are looked at by several."""
    of_it = [note for note in notes if note.part == part]

    def names(kind: str) -> list[str]:
        return list(dict.fromkeys(name for note in of_it for name in getattr(note, kind)))

    compared = max(note.compared for note in of_it)
    return Note("", [], part, names("created"), names("changed"), names("deleted"), compared)


def as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON's types."""
    return {
        "schema": SCHEMA,
        "cluster": plan.cluster,
        "nothing": plan.nothing,
        "hosts": {
            host.name: {"action": host.action, "steps": list(host.steps), "restarts": list(host.restarts)}
            for host in plan.hosts
        },
        "settings": list(plan.settings),
        "objects": {
            part.part: {
                "compared": part.compared,
                "created": part.created,
                "changed": part.changed,
                "deleted": part.deleted,
            }
            for part in plan.parts
        },
        "unknown": list(plan.unknown),
    }


def text(plan: Plan) -> str:
    """The plan for a person; one line when there is nothing to do."""
    compared = sum(part.compared for part in plan.parts)
    if plan.nothing:
        where = f"on {len(plan.hosts)} hosts and in cluster {plan.cluster}"
        return f"plan: nothing to do {where} ({compared} objects compared)"
    lines = [f"plan of cluster {plan.cluster}:"]
    width = max((len(host.name) for host in plan.hosts), default=0)
    for host in plan.hosts:
        restarts = f"; restart of {', '.join(host.restarts)}" if host.restarts else ""
        lines.append(f"  {host.name:<{width}}  {host.action}{restarts}")
        lines += [f"  {'':<{width}}    {step}" for step in _some(host.steps)]
    lines += [f"  setting  {change}" for change in plan.settings]
    for part in plan.parts:
        counts = [
            f"{len(names)} {word}"
            for word, names in (("created", part.created), ("changed", part.changed), ("deleted", part.deleted))
            if names
        ]
        if not counts:
            continue
        lines.append(f"  {part.part}: {', '.join(counts)} of {part.compared} objects")
        for sign, names in (("-", part.deleted), ("~", part.changed)):
            lines += [f"    {sign} {name}" for name in _some(names)]
        if part.deleted or part.changed:
            lines += [f"    + {name}" for name in _some(part.created)]
    lines += [f"  not compared: {reason}" for reason in plan.unknown]
    return "\n".join(lines)


def _some(names: Sequence[str]) -> list[str]:
    """The first of many names, and how many there are beside them."""
    if len(names) <= LISTED:
        return list(names)
    return [*names[:LISTED], f"and {len(names) - LISTED} more"]
