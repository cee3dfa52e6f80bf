"""One bump from request to changed files.

All of it happens in a copy of bundle/: what is refused or broken off changes nothing, and what was built is kept in the
cache for the next try.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import (
    bump,
    catalogue,
    debian,
    go_build,
    manifest,
    progress,
    versions,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.images import contents
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.prepare import FAILURES as PREPARE_FAILURES
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import Engine
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Store

FAILURES = (*PREPARE_FAILURES, bump.BumpError)
MANIFEST = "manifest.yml"

#: Standard output of ``go`` with these words in a folder. The mapping is added to the environment.
Go = Callable[[Sequence[str], Path, Mapping[str, str]], str]
#: Builds all of a component; the sha256 of each of its programs. Given the manifest and the component's name.
Build = Callable[[Path, str], dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """What a bump did. before: the version that was there. files: what changed, relative to the collection's root."""

    request: bump.Request
    before: str
    files: tuple[str, ...]

    def text(self) -> str:
        """The outcome in one line."""
        if not self.files:
            return f"{self.request.component} is at {self.before} already, and every pin is right: no file changed"
        step = f"{self.before} -> {self.request.version}"
        return f"{self.request.component} {step}: {len(self.files)} files changed: " + ", ".join(self.files)


def run(root: Path, request: bump.Request, go: Go, build: Build, say: progress.Say) -> Outcome:
    """Take a component to a version. root: the collection's. Raises one of FAILURES, and nothing has changed then."""
    tree = root / "bundle"
    component = bump.checked(request, bump.components(manifest.parts(tree / MANIFEST)))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(tree, Path(folder) / "bundle", symlinks=True))
        if bump.wants_resolving(request, component):
            _resolve(copy, request, component, go, say)
        _refuse_many(_differing(tree, copy))
        _pin(copy, component, build)
        files = _differing(tree, copy)
        _refuse_many(files)
        for name in files:
            if (copy / name).exists():
                shutil.copyfile(copy / name, tree / name)
            else:
                (tree / name).unlink()
    return Outcome(request, component.version, tuple(f"bundle/{name}" for name in files))


def _resolve(copy: Path, request: bump.Request, component: bump.Component, go: Go, say: progress.Say) -> None:
    """Require the release in the copy's wrapper module, let Go choose all other versions and hash what it chose."""
    say(f"resolving {component.path} for {component.name} {request.version}")
    folder = copy / "go" / component.name
    go_mod, go_sum = folder / "go.mod", folder / "go.sum"
    asked = f"{component.path}@{request.revision or f'v{request.version}'}"
    found = json.loads(go(["mod", "download", "-json", asked], folder, {}))
    info = json.loads(Path(found["Info"]).read_text(encoding="utf-8"))
    release = bump.Release(found["Version"], info.get("Time", ""), Path(found["GoMod"]).read_text(encoding="utf-8"))
    if (request.version, release.pin) == (component.version, component.pin):
        return
    go_mod.write_text(
        bump.go_mod(go_mod.read_text(encoding="utf-8"), component, request.version, release), encoding="utf-8"
    )
    part = copy / component.file
    part.write_text(
        bump.manifest(part.read_text(encoding="utf-8"), component, request.version, release), encoding="utf-8"
    )
    listed = _load(copy)  # refuses what does not hold together before anything is built
    programs = _programs(listed, component.name)
    for tags, packages in programs.items():
        go(["list", "-deps", *tags, *packages], folder, {})
    # What go.sum holds now is verified: by the lines that were there, and new ones by the checksum database. Written
    # afresh it holds only what this release needs, and every line must be among the verified ones.
    verified = set(go_sum.read_text(encoding="utf-8").splitlines())
    go_sum.write_text("", encoding="utf-8")
    for tags, packages in programs.items():
        go(["list", "-deps", *tags, *packages], folder, {"GOSUMDB": "off"})
    unknown = sorted(set(go_sum.read_text(encoding="utf-8").splitlines()) - verified)
    if unknown:
        raise bump.BumpError("go.sum", unknown[0], "only hashes that were verified", "the same command again")


def _programs(listed: manifest.Manifest, component: str) -> dict[tuple[str, ...], list[str]]:
    """Go packages of all of a component's programs by the words that give their build tags."""
    found: dict[tuple[str, ...], list[str]] = {}
    for artifact in _artifacts(listed, component):
        fields = artifact.provider
        tags = ("-tags", ",".join(fields["tags"])) if "tags" in fields else ()
        packages = [fields["program"]] if "program" in fields else list(fields.get("programs", {}).values())
        if packages:
            found.setdefault(tags, []).extend(package for package in packages if package not in found.get(tags, []))
    return found


def _pin(copy: Path, component: bump.Component, build: Build) -> None:
    """Build the component from the copy and pin what came out; what is pinned already must have come out."""
    part = copy / component.file
    text = part.read_text(encoding="utf-8")
    expected = bump.pins(text, component.name)
    built = build(copy / MANIFEST, component.name)
    for program, sha256 in expected.items():
        if sha256 and built[program] != sha256:
            hint = f"git diff bundle; null as the sha256 of {program} takes what comes out"
            raise bump.BumpError(f"program {program}.sha256", built[program], sha256, hint)
    part.write_text(bump.pinned(text, component.name, {name: built[name] for name in expected}), encoding="utf-8")


def _load(copy: Path) -> manifest.Manifest:
    """The manifest of a copy, for provider source and the versions that it builds itself."""
    path = copy / MANIFEST
    return manifest.load(path, versions.of_cluster(path), "source")


def _artifacts(listed: manifest.Manifest, component: str) -> list[manifest.Artifact]:
    """All artifacts made from a component's wrapper module."""
    return [item for item in listed.artifacts.values() if item.provider.get("module") == component]


def _differing(tree: Path, copy: Path) -> list[str]:
    """Names of the files that are not the same in both."""
    before, after = contents(tree), contents(copy)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _refuse_many(files: Sequence[str]) -> None:
    """Raise BumpError when more files would change than a bump may touch."""
    if len(files) > bump.MOST_FILES:
        expected = f"at most {bump.MOST_FILES}: a version stands in one place"
        raise bump.BumpError("files", f"{len(files)} that would change: {', '.join(files)}", expected, "git diff")


def go_command(words: Sequence[str], folder: Path, more: Mapping[str, str]) -> str:
    """Go, pinned as for every build, but allowed to write go.mod and go.sum. Raises progress.CommandError."""
    environment = go_build.environment()
    environment["GOFLAGS"] = environment["GOFLAGS"].replace("-mod=readonly", "-mod=mod")
    return progress.run(["go", *words], folder, {**environment, **more})


def builder(cache: Path, debian_mirror: str, say: progress.Say) -> Build:
    """The bundle's engine on a cache: all that a component's module makes, images with what lies under them."""

    def build(path: Path, component: str) -> dict[str, str]:
        listed = _load(path.parent)
        store = Store(cache)
        made = _artifacts(listed, component)
        steps = catalogue.Catalogue(
            listed, made, debian.PrivateApt(store.work / "apt", listed.suite, debian_mirror)
        ).steps
        programs = {program: f"program {program}" for program in listed.go_modules[component].sha256}
        names = [*programs.values(), *(name for artifact in made for name in catalogue.steps_of(artifact))]
        with store.lock(say):
            engine = Engine(steps.values(), store, say)
            entries = engine.make(list(dict.fromkeys(names)))
            if engine.built:
                shutil.rmtree(store.work / "kept", ignore_errors=True)
        return {program: entries[step].sha256 for program, step in programs.items()}

    return build
