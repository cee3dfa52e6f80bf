"""What istiod and this project made, and is still there after the apply sets are gone. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.istio import foreign
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import (
    APPLY_SET,
    going,
    is_ours,
    revision_of,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL

# Kinds to look through, and selectors of istiod's own (istio: pkg/config/constants, bootstrap/configcontroller.go).
CONFIG_LABEL = "istio.io/config=true"
KINDS = (
    ("v1", "ConfigMap", CONFIG_LABEL),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", ""),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ""),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", ""),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", ""),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ""),
)
CERTIFICATES = ("istio-ca-root-cert", "istio-ca-crl")  # what istiod writes into every namespace


def is_doomed(
    item: Mapping[str, Any], services: Collection[tuple[str, str]], others: foreign.Foreign, crds: bool
) -> bool:
    """Whether an object of one of KINDS goes: istiod or this project made it, and nobody else needs it.

    services: namespaces and names of control planes' Services that stay; crds: whether Istio's definitions go whoever
    has objects of them.
    """
    kind, name = item["kind"], str(item["metadata"]["name"])
    if kind == "ConfigMap":
        # Those of others would only write it again.
        return not others.control_planes and any(name == one or name.startswith(f"{one}-") for one in CERTIFICATES)
    if kind == "CustomResourceDefinition":
        kept = {definition["metadata"]["name"] for definition in others.definitions}
        return foreign.is_istios(item) and is_ours(item) and (crds or name not in kept)
    if (item["metadata"].get("labels") or {}).get(APPLY_SET_LABEL) == APPLY_SET:
        return True
    return kind.endswith("WebhookConfiguration") and _is_orphan(item, services)


def _is_orphan(item: Mapping[str, Any], services: Collection[tuple[str, str]]) -> bool:
    """Whether all webhooks are of Istio and call a control plane that is gone: they would refuse every pod, for ever.

    Whoever made them, such as ``istioctl tag set``, made them for that control plane.
    """
    called = []
    for webhook in item.get("webhooks") or []:
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        if not str(webhook.get("name", "")).endswith(foreign.GROUP) or not service:
            return False
        called.append((str(service.get("namespace", "")), str(service.get("name", ""))))
    return bool(called) and not any(one in services for one in called)


def staying(services: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Namespaces and names of the Services that this project did not make."""
    return {
        (str(item["metadata"].get("namespace", "")), str(item["metadata"]["name"]))
        for item in services
        if not is_ours(item)
    }


def meshed(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Pods that still have a proxy, which gets no configuration any more: names with their namespaces."""
    return sorted(
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods
        if revision_of(pod) and not going(pod)
    )
