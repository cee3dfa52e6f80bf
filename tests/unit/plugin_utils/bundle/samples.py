"""The real manifest, and the groups of it that a cluster and a mesh have."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import manifest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions

from tests.conftest import ROOT

BUNDLE = ROOT / "bundle"
VERSIONS = bundle_versions.of_cluster()
BUILT = bundle_versions.of_all()
CLUSTER = ["control_plane", "worker", "controller", "lab"]
MESH = ["mesh_control_plane", "mesh_worker", "mesh_controller", "observability"]


def load(provider: str = "source", **versions: str) -> manifest.Manifest:
    """The real manifest for a provider, with other versions than its own."""
    return manifest.load(BUNDLE / "manifest.yml", {**VERSIONS, **versions}, provider)
