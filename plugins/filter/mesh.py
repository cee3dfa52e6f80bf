"""Filters over the mesh's settings: thin wrappers around plugin_utils/manifests/istio.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import istio as model


def _parsed(settings: Mapping[str, Any]) -> model.Mesh:
    """The settings as typed data; AnsibleFilterError with the field's name when something does not fit."""
    try:
        return model.parse_mesh(settings)
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"mesh settings: {error}") from error


def istio_renders(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What module istio_render is to render: the shared parts, then each revision, each with its own istioctl."""
    mesh = _parsed(settings)
    renders = [{"istioctl": mesh.default.build.istioctl, "operator": model.shared_operator(mesh)}]
    for revision in mesh.revisions:
        operator = model.revision_operator(mesh, revision)
        renders.append({"istioctl": revision.build.istioctl, "operator": operator})
    return renders


def mesh_objects(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Objects of Istio's kinds for the whole mesh."""
    return model.mesh_objects(_parsed(settings))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"istio_renders": istio_renders, "mesh_objects": mesh_objects}
