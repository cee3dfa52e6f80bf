"""What istiod made by itself, and is still there after its own objects are gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.istio.revision_rollout import revision_of

# Kinds to look through, and selectors of istiod's own (istio: pkg/config/constants, bootstrap/configcontroller.go).
CONFIG_LABEL = "istio.io/config=true"  # ConfigMap istio-ca-root-cert in every namespace
KINDS = (
    ("v1", "ConfigMap", CONFIG_LABEL),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", ""),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ""),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", ""),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", ""),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ""),
)
BEGINNINGS = ("istio-", "istiod-")


def is_istios(item: Mapping[str, Any]) -> bool:
    """Whether an object of one of KINDS is Istio's."""
    name = item["metadata"]["name"]
    if item["kind"] == "ConfigMap":
        return True
    if item["kind"] == "CustomResourceDefinition":
        return str(item["spec"]["group"]).endswith(".istio.io")
    return str(name).startswith(BEGINNINGS)


def meshed(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Pods that still have a proxy, which gets no configuration any more: names with their namespaces."""
    return sorted(
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods
        if revision_of(pod) and not pod["metadata"].get("deletionTimestamp")
    )
