"""Revisions of the mesh: which one a namespace names, which one a pod's proxy is of, and who still uses one. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Key

REVISION_LABEL = "istio.io/rev"
INJECTION_LABEL = "istio-injection"  # the older one, which counts where a namespace has both
TAG_LABEL = "istio.io/tag"  # of the webhook that makes another name of a revision
DEFAULT_TAG = "default"
INJECTED = "sidecar.istio.io/status"  # annotation in which the injector records what it did
FINISHED = ("Succeeded", "Failed")  # phases of a pod that runs no more, such as a job's or an evicted one
TEMPORARY = "twinstack-"  # namespaces of verifications and measurements, which go by themselves
APPLY_SET = "istio"  # of what role istio installs

Json = Mapping[str, Any]


def revision_of(pod: Json) -> str:
    """The revision whose proxy a pod got; empty when it has none, or runs no more."""
    if (pod.get("status") or {}).get("phase") in FINISHED:
        return ""
    annotations = pod["metadata"].get("annotations") or {}
    try:
        return str(json.loads(annotations.get(INJECTED, "{}")).get("revision", ""))
    except ValueError:
        return ""


def tags(webhooks: Iterable[Json]) -> dict[str, str]:
    """Revisions by the tags that stand for them. webhooks: all MutatingWebhookConfigurations."""
    labels = [item["metadata"].get("labels") or {} for item in webhooks]
    return {one[TAG_LABEL]: one.get(REVISION_LABEL, "") for one in labels if TAG_LABEL in one}


def revision_named(namespace: Json, by_tag: Mapping[str, str]) -> str:
    """The revision that a namespace's new pods get; empty when it is not in the mesh. by_tag: as of `tags`."""
    labels = namespace["metadata"].get("labels") or {}
    if INJECTION_LABEL in labels:
        return by_tag.get(DEFAULT_TAG, "") if labels[INJECTION_LABEL] == "enabled" else ""
    named = str(labels.get(REVISION_LABEL, ""))
    return by_tag.get(named, named)


def is_ours(item: Json) -> bool:
    """Whether this project made an object."""
    return APPLY_SET_LABEL in (item["metadata"].get("labels") or {})


def going(item: Json) -> bool:
    """Whether an object is on its way out already."""
    return bool(item["metadata"].get("deletionTimestamp"))


def owner_of(pod: Json) -> Key:
    """The workload that a pod is of, as people name it; the pod itself when it has none."""
    metadata = pod["metadata"]
    space = str(metadata.get("namespace", ""))
    for owner in metadata.get("ownerReferences") or []:
        if owner.get("controller"):
            name, digest = str(owner["name"]), (metadata.get("labels") or {}).get("pod-template-hash", "")
            if owner["kind"] == "ReplicaSet" and digest and name.endswith(f"-{digest}"):
                return Key("apps/v1", "Deployment", space, name.removesuffix(f"-{digest}"))
            return Key(str(owner.get("apiVersion", "")), str(owner["kind"]), space, name)
    return Key("v1", "Pod", space, str(metadata["name"]))


def leaving(deployments: Iterable[Json], wanted: Iterable[str]) -> list[str]:
    """Revisions that an install would remove. deployments: control planes; wanted: names of the revisions to be."""
    names = {
        str(item["metadata"]["labels"].get(REVISION_LABEL, ""))
        for item in deployments
        if (item["metadata"].get("labels") or {}).get(APPLY_SET_LABEL) == APPLY_SET
    }
    return sorted(names - set(wanted) - {""})


def users(
    namespaces: Sequence[Json], pods: Iterable[Json], by_tag: Mapping[str, str], removed: Sequence[str], kept: str
) -> list[Finding]:
    """Everything that still uses a revision which is to be removed: namespaces that name it, workloads with its proxy.

    by_tag: as of `tags`; kept: the default revision to be.
    """
    ours = {str(item["metadata"]["name"]) for item in namespaces if is_ours(item)}
    found = list(_namespaces(namespaces, by_tag, removed, kept))
    proxies: Counter[tuple[Key, str]] = Counter()
    for pod in pods:
        revision = revision_of(pod)
        if revision in removed and not going(pod) and not _temporary(pod["metadata"].get("namespace", "")):
            proxies[owner_of(pod), revision] += 1
    for (owner, revision), count in sorted(proxies.items()):
        what = f"{revision}, which istio_revisions lacks, in {count} pod{'' if count == 1 else 's'}"
        hint = _hint(revision, kept, owner.namespace, owner.namespace in ours)
        found.append(Finding(str(owner), "revision of the proxy", what, f"another one, such as {kept}", hint))
    return sorted(found)


def _namespaces(
    namespaces: Iterable[Json], by_tag: Mapping[str, str], removed: Sequence[str], kept: str
) -> Iterator[Finding]:
    for item in namespaces:
        name, labels = str(item["metadata"]["name"]), item["metadata"].get("labels") or {}
        revision = revision_named(item, by_tag)
        if revision not in removed or going(item) or _temporary(name):
            continue
        label = INJECTION_LABEL if INJECTION_LABEL in labels else REVISION_LABEL
        stands = "" if labels[label] == revision else f"={labels[label]}, which stands for {revision}"
        what = f"{label}{stands or f'={revision}'}, which istio_revisions lacks"
        hint = _hint(revision, kept, name, is_ours(item))
        yield Finding(f"namespace {name}", "label", what, f"another one, such as {REVISION_LABEL}={kept}", hint)


def _temporary(namespace: str) -> bool:
    return str(namespace).startswith(TEMPORARY)


def _hint(revision: str, kept: str, namespace: str, ours: bool) -> str:
    """How a user gets to another revision, while the one that it uses still stands."""
    first = f"keep {revision} in istio_revisions"
    if ours:
        return f"{first}, move the tenants by playbooks/istio/upgrade_tenants.yml, then take {revision} out"
    label = f"kubectl label namespace {namespace} {INJECTION_LABEL}- {REVISION_LABEL}={kept} --overwrite"
    return f"{first}; {label}; kubectl -n {namespace} rollout restart deployment; then take {revision} out"
