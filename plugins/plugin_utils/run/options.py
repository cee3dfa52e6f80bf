"""Options of ansible-playbook that leave parts of a playbook out: which of them a run can do with, and what to do
instead of the others.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

CONTROLLER = "localhost"
#: Tags of the steps of site.yml, each with what has it. tests/quality/test_playbooks.py compares them with the plays'.
TAGS = (
    "bundle", "calico", "canary", "containerd", "istio", "istio_upgrade", "kubeadm", "node_prep", "observability",
    "plan", "preflight", "rate_limit", "reset", "scenarios", "ssh_known_hosts", "tenants", "validate_inventory",
    "verify",
)  # fmt: skip
#: Ansible's own, and those of the lab's and the developers' playbooks.
OTHER_TAGS = ("always", "never", "all", "tagged", "untagged", "lab", "bump")
#: Tags of earlier releases.
RENAMED_TAGS = {
    "hosts": "node_prep", "network": "calico", "kubelet": "kubeadm", "control_plane": "kubeadm", "workers": "kubeadm",
    "mesh_images": "containerd", "mesh_gate": "tenants", "mesh_switch": "istio_upgrade", "inventory": "preflight",
    "prometheus": "observability", "jaeger": "observability", "kiali": "observability", "trust": "ssh_known_hosts",
}  # fmt: skip
#: Folders and files of playbooks that are steps of another one.
STEPS = {
    "cluster": "site.yml",
    "verification": "site.yml",
    "tenancy": "playbooks/tenants.yml",
    "istio/install": "playbooks/mesh.yml",
    "istio/configure": "playbooks/mesh.yml",
}
#: What a run must not leave out: without these a wrong inventory would be found only after hosts were changed.
CHECKS = ("validate_inventory", "preflight", "plan", "always")


@dataclass(frozen=True)
class Options:
    """What was given to ansible-playbook. playbooks: paths or full names. nothing_runs: a look at syntax or lists."""

    playbooks: Sequence[str] = ()
    limit: str = ""
    tags: Sequence[str] = ()
    skip_tags: Sequence[str] = ()
    start_at_task: str = ""
    nothing_runs: bool = False
    inventory: Sequence[str] = ()


def of(arguments: Mapping[str, object]) -> Options:
    """The options out of ansible.context.CLIARGS, which lacks those that a command does not have."""

    def words(name: str) -> tuple[str, ...]:
        given = arguments.get(name) or ()
        texts = [given] if isinstance(given, str) else list(given) if isinstance(given, Sequence) else []
        return tuple(word for text in texts for word in str(text).split(",") if word)

    sources = arguments.get("inventory") or ()
    return Options(
        playbooks=words("args"),
        limit=str(arguments.get("subset") or ""),
        tags=words("tags"),
        skip_tags=words("skip_tags"),
        start_at_task=str(arguments.get("start_at_task") or ""),
        inventory=tuple(str(source) for source in sources) if isinstance(sources, Sequence) else (),
        nothing_runs=any(arguments.get(name) for name in ("syntax", "listtasks", "listtags", "listhosts")),
    )


def hosts(pattern: str, options: Options) -> str:
    """The hosts of a play, as they are given.

    pattern: of a play. ``localhost`` alone is the controller, with ``--limit`` it has to be named. A pattern of several
    alternatives with the controller among them (``localhost:control_plane``) takes whichever is left.
    """
    if options.nothing_runs:  # ansible-lint looks at each playbook that way
        return pattern
    reasons = refusals(options)
    if pattern == CONTROLLER and not has_controller(options.limit):
        reasons.append(
            f"--limit: found {options.limit}; expected localhost beside it, from where the cluster is changed. "
            f"Try: --limit '{with_controller(options.limit)}'"
        )
    if reasons:
        raise ValueError("\n".join(reasons))
    return pattern


def has_controller(limit: str) -> bool:
    """Whether a play on localhost runs with this limit."""
    return not limit or CONTROLLER in re.split(r"[,:;]", limit)


def with_controller(limit: str) -> str:
    """The limit with the controller beside it; ``!n1`` alone means all but n1."""
    parts = [part for part in re.split(r"[,;]|:(?![^\[]*\])", limit) if part]
    positive = any(not part.startswith(("!", "&")) for part in parts)
    return ",".join([*([] if positive else ["all"]), CONTROLLER, *parts])


def refusals(options: Options) -> list[str]:
    """What is left out that a run cannot do without, a line each."""
    reasons = []
    if options.inventory and not any("," in source or Path(source).exists() for source in options.inventory):
        found = ", ".join(options.inventory)
        reasons.append(f"--inventory: found {found}, which is not there; expected an inventory. Try: -i inventory/prod")
    if options.start_at_task:
        reasons.append(
            f"--start-at-task: found {options.start_at_task}; expected no such option: what the tasks before it check "
            "and find out would be missing. Try: the same command without it, which passes over what is done"
        )
    for tag in options.tags:
        if tag not in (*TAGS, *OTHER_TAGS):
            close = RENAMED_TAGS.get(tag) or next(iter(difflib.get_close_matches(tag, TAGS, 1)), "")
            expected = close or f"one of {', '.join(TAGS)}"
            reasons.append(f"--tags: found {tag}, which no step has; expected {expected}")
    skipped = [tag for tag in options.skip_tags if tag in CHECKS]
    if skipped:
        reasons.append(
            f"--skip-tags: found {', '.join(skipped)}; expected the tags of other steps: without these checks hosts "
            "would be changed before anything is refused"
        )
    for playbook in options.playbooks:
        whole = step_of(playbook)
        if whole:
            reasons.append(
                f"{playbook}: found one step of {whole}; expected the whole, which checks first and passes over what "
                f"is done. Try: {whole}, with --tags for a part of it or --limit localhost,HOST for one host"
            )
    return reasons


def step_of(playbook: str) -> str:
    """The playbook that one is a step of; empty when it is one to run.

    playbook: a path, or a collection's full name (``twinstack.core.cluster.nodes``).
    """
    path = PurePath(playbook)
    if path.suffix in (".yml", ".yaml"):
        parts = (path.parent.name, path.stem)
    else:
        words = playbook.split(".")
        parts = (words[-2], words[-1]) if len(words) > 3 else ("", words[-1])
    return STEPS.get(parts[0]) or STEPS.get("/".join(parts)) or ""
