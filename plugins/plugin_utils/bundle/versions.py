"""The versions that the bundle builds. They stand in bundle/manifest.yml and what it includes, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import manifest

MANIFEST = Path(__file__).resolve().parents[3] / "bundle" / "manifest.yml"


def of_all(path: Path = MANIFEST) -> dict[str, str]:
    """The version of every component, by name. Raises ManifestError."""
    return {name: version for name, (version, _optional) in _read(path).items()}


def of_cluster(path: Path = MANIFEST) -> dict[str, str]:
    """The versions of what every cluster has: the keys of ``twinstack_versions``. Raises ManifestError."""
    return {name: version for name, (version, optional) in _read(path).items() if not optional}


def _read(path: Path) -> dict[str, tuple[str, bool]]:
    """Version and ``optional`` of every wrapper module."""
    return {
        str(name): (str(module.get("version")), bool(module.get("optional")))
        for part in manifest.parts(path).values()
        for name, module in part.get("go_modules", {}).items()
    }
