"""A host's node in a cluster that goes on without it, by kubectl on a control plane: drained before, deleted after."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason

KUBECTL: tuple[str, ...] = ("/usr/local/bin/kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
ANSWER_SECONDS = 10
EVICTED = re.compile(r"^evicting pod (?P<pod>\S+)")
REFUSED = re.compile(r'^error when evicting pods/"(?P<name>[^"]+)" -n "(?P<space>[^"]+)" \(.*?\): (?P<why>.*)$')


class NoAnswerError(Exception):
    """The API server does not answer; the message is kubectl's last words."""


@dataclass(frozen=True)
class Node:
    """A node as the API knows it. cordoned: it takes no new pods."""

    machine_id: str
    cordoned: bool


@dataclass(frozen=True)
class Done:
    """How a command ended: exit status, standard output and error."""

    status: int
    output: str
    error: str


def kubectl(arguments: Sequence[str], timeout: float = ANSWER_SECONDS) -> Done:
    """Run kubectl as the cluster's administrator; one that is missing or has no end has an exit status too."""
    argv = [*KUBECTL, f"--request-timeout={ANSWER_SECONDS}s", *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout + ANSWER_SECONDS, check=False)
    except OSError as error:
        return Done(127, "", str(error))
    except subprocess.TimeoutExpired:
        return Done(124, "", f"no end of kubectl {arguments[0]} after {timeout:.0f} s")
    return Done(done.returncode, done.stdout, done.stderr)


def last_words(text: str) -> str:
    """The last line that says something."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["nothing"])[-1]


def parse_node(text: str) -> Node | None:
    """A node out of ``kubectl get node -o json --ignore-not-found``, which prints nothing when there is none."""
    if not text.strip():
        return None
    data = json.loads(text)
    return Node(data["status"]["nodeInfo"]["machineID"], bool(data["spec"].get("unschedulable")))


def get(name: str) -> Node | None:
    """The node of this name, if there is one. Raises NoAnswerError."""
    done = kubectl(["get", "node", name, "--output=json", "--ignore-not-found"])
    if done.status != 0:
        raise NoAnswerError(last_words(done.error))
    return parse_node(done.output)


def parse_evicted(text: str) -> list[str]:
    """Pods (``namespace/name``) that kubectl drain evicts."""
    return sorted({match["pod"] for match in map(EVICTED.match, text.splitlines()) if match})


def parse_refused(text: str, seconds: int) -> list[Reason]:
    """Pods whose eviction the API refused, each with its reason, out of the messages of a drain that did not end."""
    found = {
        (match["space"], match["name"]): match["why"] for match in map(REFUSED.match, text.splitlines()) if match
    }  # fmt: skip
    return [
        Reason(
            f"pod {space}/{name}",
            "eviction",
            why,
            f"its eviction within {seconds} s",
            f"kubectl --namespace {space} get poddisruptionbudgets,pods; then the same command again, with a longer "
            "reset_drain_timeout, or with -e reset_drain=false, which takes the pod away as it is",
        )
        for (space, name), why in sorted(found.items())
    ]


def drain(name: str, node: Node, seconds: int, check: bool) -> tuple[list[str], list[Reason]]:
    """Cordon a node and evict its pods, within their disruption budgets; the evicted, and why it did not end.

    Pods of DaemonSets stay; those that no controller brings back and data in emptyDir volumes are lost, as they would
    be with the host. seconds: longest time. A drain that does not end lifts its own cordon again, and nobody else's.
    """
    argv = ["drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={seconds}s"]
    done = kubectl([*argv, *(["--dry-run=client"] if check else [])], timeout=seconds)
    if done.status == 0:
        return parse_evicted(done.output + done.error), []
    if not node.cordoned and not check:
        kubectl(["uncordon", name])
    reasons = parse_refused(done.error, seconds)
    other = Reason(
        f"node {name}", "drain", last_words(done.error), f"an end within {seconds} s", f"kubectl drain {name}, by hand"
    )
    return parse_evicted(done.output + done.error), reasons or [other]


def delete(name: str) -> str:
    """Delete the node's object; kubectl's words when that fails, else nothing."""
    done = kubectl(["delete", "node", name, "--ignore-not-found"], timeout=60)
    return "" if done.status == 0 else last_words(done.error)
