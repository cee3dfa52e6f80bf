"""Programs and files from Go modules, through the wrapper modules in bundle/go that pin every version and hash."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import GoModule
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

#: The toolchain of every build, fetched and verified by any Go from 1.21 on. One for all: the programs' hashes, which
#: the manifest pins, depend on it.
GO_TOOLCHAIN = "go1.26.8"
# The same for every program, or the build cache is of no use from one to the next.
GO_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "GOOS": "linux",
    "GOARCH": "amd64",
    "GOAMD64": "v1",
    "GOTOOLCHAIN": GO_TOOLCHAIN,
    "GOWORK": "off",
}


def environment() -> dict[str, str]:
    """The environment of every ``go`` command; proxies and caches stay as the machine has set them.

    The Go of this environment comes first: it is there only where the machine has none that could be used.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, **GO_ENVIRONMENT}


def toolchain() -> str:
    """The Go version that would build, like ``go1.26.8``. Raises progress.CommandError when there is none."""
    return progress.run(["go", "env", "GOVERSION"], env=environment()).strip()


class Wrapper:
    """One wrapper module: where it lies and what it is made of."""

    def __init__(self, folder: Path, module: GoModule, version_of_go: str) -> None:
        """folder: bundle/go/<name>. version_of_go: what ``toolchain()`` says."""
        self.folder = folder
        self.module = module
        self.version_of_go = version_of_go
        self.pins = {name: sha256_of(folder / name) for name in ("go.mod", "go.sum")}

    def program(self, name: str, package: str, tags: Sequence[str] = ()) -> Step:
        """A step that builds one program of the module. tags: Go build tags."""

        stamp = "" if name in self.module.unstamped else self.module.ldflags

        def run(build: BuildContext) -> BuildResult:
            binary = build.folder / name
            ldflags = f"-s -w {stamp}".strip()
            tagged = ["-tags", ",".join(tags)] if tags else []
            argv: list[str | Path] = ["go", "build", *tagged, "-ldflags", ldflags, "-o", binary, package]
            progress.run(argv, self.folder, environment())
            if not self.module.sha256.get(name):
                build.say(f"program {name}: sha256 {sha256_of(binary)}; pin it in bundle/*.yml")
            return BuildResult(binary)

        inputs: dict[str, Any] = {
            "recipe": "go program 1",
            "package": package,
            "pins": self.pins,
            "ldflags": stamp,
            "go": self.version_of_go,
            "environment": GO_ENVIRONMENT,
        }
        if tags:
            inputs["tags"] = list(tags)
        return Step(f"program {name}", inputs, run, sha256=self.module.sha256.get(name, ""))

    def file(self, name: str, path: str) -> Step:
        """A step that copies one file out of a module's source. path: module path and file, joined by a slash."""

        def run(build: BuildContext) -> BuildResult:
            copy = build.folder / name
            shutil.copyfile(self.source_path(path), copy)
            return BuildResult(copy)

        return Step(name, {"recipe": "go module file 1", "path": path, "pins": self.pins}, run)

    def source_path(self, path: str) -> Path:
        """Where a file or folder of a required module lies in the module cache, fetched and verified if need be."""
        go_mod = (self.folder / "go.mod").read_text(encoding="utf-8")
        words = path.split("/")
        for end in range(len(words) - 1, 0, -1):
            name = "/".join(words[:end])
            if f"\t{name} v" in go_mod or f"require {name} v" in go_mod:
                progress.run(["go", "mod", "download", name], self.folder, environment())
                root = progress.run(["go", "list", "-m", "-f", "{{.Dir}}", name], self.folder, environment()).strip()
                return Path(root, *words[end:])
        raise progress.CommandError(f"{self.folder}/go.mod: found no requirement that holds {path}")
