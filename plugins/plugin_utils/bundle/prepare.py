"""One run of the bundle from settings to bundle.json, or only what such a run would do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import (
    catalogue,
    debian,
    manifest,
    progress,
    upstream,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.oci import LayoutError
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import Engine
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Store, write_json

# What the recipes raise when something outside this project is wrong; everything else is a bug and shows its trace.
FAILURES = (
    manifest.ManifestError,
    progress.CommandError,
    debian.MirrorError,
    upstream.DownloadError,
    LayoutError,
)


CONTROLLER = "controller"  # the group of artifacts that this machine needs


@dataclass(frozen=True)
class Settings:
    """What to prepare. groups: whose artifacts. verify: hash every file. rebuild: steps to rebuild regardless.

    mirrors: folders and URLs that are searched for binaries before they are built. caches: other machines' caches,
    which are trusted and searched for everything.
    """

    manifest: Path
    provider: str
    versions: Mapping[str, str]
    groups: Sequence[str]
    cache: Path
    index: Path
    debian_mirror: str = ""
    rebuild: Sequence[str] = ()
    verify: bool = False
    mirrors: Sequence[str] = ()
    caches: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run did. built: steps that ran, or in check mode would run. before, after: texts of bundle.json."""

    built: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""


def prepare(settings: Settings, say: progress.Say, check: bool = False) -> Outcome:
    """Make what is missing and write bundle.json, or with ``check`` change nothing. Raises one of FAILURES."""
    listed = manifest.load(settings.manifest, settings.versions, settings.provider)
    wanted = listed.of_groups(settings.groups)
    _refuse_unpinned(listed, wanted)
    store = Store(settings.cache)
    apt = debian.PrivateApt(store.work / "apt", listed.suite, settings.debian_mirror)
    steps = catalogue.Catalogue(listed, wanted, apt).steps
    unknown = sorted(set(settings.rebuild) - set(steps))
    if unknown:
        expected = "names of steps: " + ", ".join(sorted(steps))
        raise manifest.ManifestError([Finding("inventory", "bundle_rebuild", ", ".join(unknown), expected)])
    before = settings.index.read_text(encoding="utf-8") if settings.index.is_file() else ""
    names = [name for artifact in wanted for name in catalogue.steps_of(artifact)]
    if check:
        engine = Engine(steps.values(), store, say, settings.verify, settings.rebuild)
        return Outcome(engine.pending(names), before, before)
    with store.lock(say):
        engine = Engine(
            steps.values(), store, say, settings.verify, settings.rebuild, settings.mirrors, settings.caches
        )
        entries = engine.make(names)
        if engine.built:
            shutil.rmtree(store.work / "kept", ignore_errors=True)
    data = catalogue.index(settings.provider, wanted, entries, store)
    after = json.dumps(data, indent=1, sort_keys=True) + "\n"
    if after != before:
        write_json(settings.index, data)
    programs = [item.name for item in wanted if item.kind == "binary" and CONTROLLER in item.groups]
    link_programs(settings.index.parent / "bin", {name: Path(data["artifacts"][name]["path"]) for name in programs})
    return Outcome(engine.built, before, after)


def link_programs(folder: Path, programs: Mapping[str, Path]) -> None:
    """Programs for people at this machine, kubectl before all, under their own names. programs: their files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != path:
            link.unlink(missing_ok=True)
            link.symlink_to(path)


def _refuse_unpinned(listed: manifest.Manifest, wanted: Sequence[manifest.Artifact]) -> None:
    """Raise ManifestError for downloads, images in the wanted sets among them, whose hash nobody has pinned."""
    groups = [item.provider["images_of"] for item in wanted if "images_of" in item.provider]
    members = {image.name: image for group in groups for image in listed.images_of(group)}
    findings = manifest.unpinned([*wanted, *members.values()])
    if findings:
        raise manifest.ManifestError(findings)


def explain(error: Exception, said: Sequence[str]) -> str:
    """The text of a failure. said: progress lines so far; the last one names what was being built."""
    if not said:
        return str(error)
    return f"{said[-1]}:\n{error}\nFinished files are kept: the next run goes on from here."
