"""Which build of the proxy a control plane injects, and which pods run another one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import builds

from tests.unit.module_utils.istio.samples import IMAGE, injector, pod

NEWER = "registry.example/istio/proxyv2:2"


def test_each_injector_tells_its_revisions_image() -> None:
    other = injector("canary", tag="2")
    plain = {"metadata": {"name": "istio-sidecar-injector"}, "data": injector("x")["data"]}
    foreign = {"metadata": {"name": "istio-sidecar-injector-foreign"}, "data": {"values": "{}"}}
    mesh = {"metadata": {"name": "istio-stable"}, "data": {"mesh": "x"}}
    found = builds.injected([injector("stable"), other, plain, foreign, mesh])
    assert found == {"stable": IMAGE, "canary": NEWER, "default": IMAGE}


def test_an_image_with_a_path_is_taken_as_it_is() -> None:
    item = injector("stable")
    values = {"global": {"hub": "registry.example/istio", "tag": "1", "proxy": {"image": "elsewhere.example/proxy:7"}}}
    item["data"]["values"] = json.dumps(values)
    assert builds.injected([item]) == {"stable": "elsewhere.example/proxy:7"}


@pytest.mark.parametrize("field", ["initContainers", "containers"])
def test_a_proxy_is_found_as_a_sidecar_and_as_a_gateway(field: str) -> None:
    spec = {"containers": [{"name": "web", "image": "web"}], "initContainers": [{"name": "init", "image": "init"}]}
    spec[field] = [*spec[field], {"name": "istio-proxy", "image": IMAGE}]
    assert builds.proxy_image({"spec": spec}) == IMAGE
    assert builds.proxy_image({"spec": {"containers": [{"name": "web", "image": "web"}]}}) == ""


@pytest.mark.parametrize(
    ("image", "same"),
    [
        (IMAGE, True),
        (f"{IMAGE}-distroless", True),
        (f"{IMAGE}-site.1", False),
        ("registry.example/istio/proxyv2:11", False),
        ("elsewhere.example/istio/proxyv2:1", False),
        ("registry.example/istio/proxyv2@sha256:0", False),
    ],
)
def test_variants_of_an_image_are_one_build(image: str, same: bool) -> None:
    assert builds.same_build(image, IMAGE) is builds.same_build(IMAGE, image) is same


def changed(**metadata: Any) -> dict[str, Any]:
    """A pod of revision stable with other metadata."""
    item = pod("web", "stable")
    item["metadata"]["annotations"] |= metadata.pop("annotations", {})
    item["metadata"] |= metadata
    return item


def test_a_proxy_of_another_build_than_its_own_revisions_is_outdated() -> None:
    known = {"stable": NEWER, "canary": IMAGE}
    assert builds.outdated(pod("web", "stable"), known) == f"found {IMAGE}, expected {NEWER}"
    assert builds.outdated(pod("web", "canary"), known) == ""
    assert builds.outdated(pod("web", "stable", image=NEWER), known) == ""


@pytest.mark.parametrize(
    "item",
    [
        pod("web", ""),
        pod("web", "gone"),
        pod("job", "stable", phase="Succeeded"),
        changed(deletionTimestamp="2026-11-24T06:00:00Z"),
        changed(annotations={builds.OWN_IMAGE: IMAGE}),
    ],
)
def test_what_has_no_build_to_have_is_left_out(item: dict[str, Any]) -> None:
    assert builds.outdated(item, {"stable": NEWER}) == ""
