"""Reads bundle.json, the list of ready artifacts that the bundle role leaves for everything after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BUNDLE_FILE = "bundle.json"
SCHEMA = 2


class BundleIndexError(Exception):
    """bundle.json is missing or does not fit; the message says which file and what to run."""


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Artifacts by name.

    folder: the environment's artifacts folder (``twinstack_artifacts_dir``).
    Raises BundleIndexError when the file is absent, is not of this schema, or names a file that has gone.
    """
    path = folder / BUNDLE_FILE
    hint = "Try: ansible-playbook playbooks/bundle.yml with the same inventory"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleIndexError(f"{path}: no such file, expected the bundle's index. {hint}") from error
    except ValueError as error:
        raise BundleIndexError(f"{path}: found no valid JSON ({error}). {hint}") from error
    if data.get("schema") != SCHEMA:
        raise BundleIndexError(f"{path}: schema: found {data.get('schema')!r}, expected {SCHEMA}. {hint}")
    artifacts: dict[str, dict[str, Any]] = data["artifacts"]
    gone = [
        name
        for name, artifact in artifacts.items()
        if not all(Path(artifact[field]).is_file() for field in ("path", "packed") if field in artifact)
    ]
    if gone:
        raise BundleIndexError(f"{path}: the files of {', '.join(sorted(gone))} are gone from the cache. {hint}")
    return artifacts


def for_groups(artifacts: dict[str, dict[str, Any]], groups: list[str], kinds: list[str]) -> list[dict[str, Any]]:
    """The artifacts of some kinds that hosts of these groups need, by name."""
    return [
        artifact
        for _name, artifact in sorted(artifacts.items())
        if artifact["kind"] in kinds and set(artifact["groups"]) & set(groups)
    ]
