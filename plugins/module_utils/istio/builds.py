"""Which build of the proxy each control plane injects, and which pods run another one. Pure.

A build is the proxy's image by its name. A variant of it (distroless, debug) is the same build: a namespace or a pod
may choose one for itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_PROXY
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import REVISION_LABEL, revision_of

# istio: istio-discovery/templates/istiod-injector-configmap.yaml
INJECTOR = "istio-sidecar-injector"
CONTROL_PLANES = "operator.istio.io/component=Pilot"  # what the charts of a control plane make
VARIANTS = ("-distroless", "-debug")
OWN_IMAGE = "sidecar.istio.io/proxyImage"  # annotation: the pod's owner names the image


def injected(config_maps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The image that each revision injects, by revision, out of the ConfigMaps of control planes."""
    found = {}
    for item in config_maps:
        name = str(item["metadata"]["name"])
        if name != INJECTOR and not name.startswith(f"{INJECTOR}-"):
            continue
        labels = item["metadata"].get("labels") or {}
        revision = str(labels.get(REVISION_LABEL) or name.removeprefix(INJECTOR).removeprefix("-") or "default")
        try:
            image = _image(json.loads((item.get("data") or {})["values"])["global"])
        except (ValueError, KeyError, TypeError):  # not of Istio's charts: there is nothing to compare with
            continue
        found[revision] = image
    return found


def _image(values: Mapping[str, Any]) -> str:
    """The image that the chart's global values name (istio: pkg/kube/inject, ProxyImage)."""
    image = str((values.get("proxy") or {}).get("image") or "proxyv2")
    return image if "/" in image else f"{values['hub']}/{image}:{values['tag']}"


def proxy_image(pod: Mapping[str, Any]) -> str:
    """The image of a pod's proxy, a sidecar or a gateway; empty without one."""
    spec = pod.get("spec") or {}
    for container in (*spec.get("initContainers", []), *spec.get("containers", [])):
        if container["name"] == ISTIO_PROXY:
            return str(container.get("image", ""))
    return ""


def same_build(image: str, other: str) -> bool:
    """Whether two images are one build, whatever their variants."""
    return _plain(image) == _plain(other)


def _plain(image: str) -> str:
    for variant in VARIANTS:
        image = image.removesuffix(variant)
    return image


def outdated(pod: Mapping[str, Any], builds: Mapping[str, str]) -> str:
    """What a pod's proxy is and should be, when it is not of the build that its revision injects; else empty.

    builds: image by revision. A pod that goes, that has no proxy, or whose owner names the proxy's image is left out,
    and so is one of a revision that injects nothing any more: no build is known that it should have.
    """
    metadata = pod["metadata"]
    image, expected = proxy_image(pod), builds.get(revision_of(pod), "")
    if not image or not expected or metadata.get("deletionTimestamp"):
        return ""
    if OWN_IMAGE in (metadata.get("annotations") or {}) or same_build(image, expected):
        return ""
    return f"found {image}, expected {expected}"
