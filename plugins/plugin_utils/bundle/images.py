"""Images by buildah from the Containerfiles in bundle/images, and the archives of all that one kind of host needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian, oci, progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.go_build import Wrapper
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import Artifact
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

COMPILER = (
    *("gcc", "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"),
    *("-fno-asynchronous-unwind-tables", "-Wl,--build-id=none", "-s"),
)


def image(name: str, artifact: Artifact, folder: Path, wrapper: Wrapper | None) -> Step:
    """A step that builds one image into an archive with zstd layers.

    folder: bundle/images/<name>, which holds the Containerfile and what it copies besides ``programs/`` (from Go or C,
    or artifacts of kind binary), ``deb/`` (unpacked packages) and ``folder/`` (a folder out of a Go module's source).
    """
    fields = artifact.provider
    needs = {f"program {name}": name for name in (*fields.get("programs", {}), *fields.get("binaries", ()))}
    base = fields.get("base")
    debs = [f"package {package}" for package in packages_of(fields)]

    def run(build: BuildContext) -> BuildResult:
        context = build.folder / "context"
        shutil.copytree(folder, context, symlinks=True)
        programs = context / "programs"
        programs.mkdir()
        for need, name in needs.items():
            shutil.copyfile(build.needs[need], programs / name)
        if "c_program" in fields:
            source = context / fields["c_program"]
            progress.run([*COMPILER, "-o", programs / source.stem, source])
        for deb in debs:
            debian.unpack(build.needs[deb], context / "deb")
        if "folder" in fields and wrapper:
            copy_tree(wrapper.source_path(fields["folder"]), context / "folder")
        for program in programs.iterdir():
            program.chmod(0o755)
        for name, target in fields.get("links", {}).items():
            (programs / name).symlink_to(target)
        layout = bud(context, build.folder, (base, build.needs[base]) if base else None)
        digest = oci.compress(layout, build.folder / "packed")
        archive = build.folder / "image.tar"
        oci.pack(build.folder / "packed", archive)
        return BuildResult(archive, {"digest": digest})

    inputs: dict[str, Any] = {
        "recipe": "image 2",
        "files": contents(folder),
        "programs": sorted(needs.values()),
        "compiler": COMPILER,
        "folder": ["copy 2", fields["folder"], wrapper.pins] if "folder" in fields and wrapper else None,
        "level": oci.ZSTD_LEVEL,
    }
    if "links" in fields:
        inputs["links"] = fields["links"]
    return Step(name, inputs, run, (*needs, *([base] if base else []), *debs))


def packages_of(fields: Mapping[str, Any]) -> list[str]:
    """The Debian packages whose files an image copies: ``deb`` is the name of one, or a list."""
    named = fields.get("deb", [])
    return [named] if isinstance(named, str) else list(named)


def contents(folder: Path) -> dict[str, str]:
    """What a folder holds: sha256 of each file, target of each link, by relative path."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = sha256_of(path)
    return found


def copy_tree(source: Path, target: Path) -> None:
    """Copy a Go module's folder so that its copy is writable and its scripts can be run.

    A module's archive keeps no modes. Scripts are recognised by their ``#!``; one that has none needs ``COPY --chmod``.
    """
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in [target, *target.rglob("*")]:
        script = path.is_file() and path.read_bytes()[:2] == b"#!"
        path.chmod(0o755 if path.is_dir() or script else 0o644)


def bud(context: Path, folder: Path, base: tuple[str, Path] | None) -> Path:
    """Build a context into an OCI layout with plain layers, without daemon; the layout's folder.

    base: name and tar of the layer that the Containerfile's ``FROM localhost/<name>`` means.
    """
    root = folder / "storage"
    buildah: list[str | Path] = ["buildah", "--root", root, "--runroot", folder / "run", "--storage-driver", "vfs"]
    build: list[str | Path] = [
        *buildah,
        "bud",
        "--isolation",
        "chroot",
        "--timestamp",
        "0",
        "--format",
        "oci",
        "--quiet",
    ]
    if base:
        name, tar = base
        (folder / "base").mkdir()
        (folder / "base" / "Containerfile").write_text("FROM scratch\nADD base.tar /\n", encoding="utf-8")
        (folder / "base" / "base.tar").hardlink_to(tar)
        progress.run([*build, "--tag", f"localhost/{name}", folder / "base"])
    progress.run([*build, "--pull-never", "--tag", "localhost/image", context])
    layout = folder / "layout"
    progress.run([*buildah, "push", "--quiet", "--disable-compression", "localhost/image", f"oci:{layout}"])
    return layout


def image_set(name: str, members: Mapping[str, str]) -> Step:
    """A step that makes one archive of images. members: the step that makes it, by the image's full name."""

    def run(build: BuildContext) -> BuildResult:
        archive = build.folder / f"{name}.tar"
        images = oci.merge({image_name: build.needs[step] for image_name, step in members.items()}, archive)
        return BuildResult(archive, {"images": images})

    return Step(name, {"recipe": "image set 3", "members": dict(members)}, run, tuple(members.values()))
