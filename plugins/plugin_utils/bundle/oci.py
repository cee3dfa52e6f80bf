"""OCI image layouts: layers compressed with zstd, and one archive out of many, each blob in it once."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import oci_files, progress

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
LAYOUT_FILE = {"imageLayoutVersion": "1.0.0"}
NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
# Unpacking is as fast at every level; from 12 on the minutes grow and the megabytes hardly shrink.
ZSTD_LEVEL = 12


class LayoutError(Exception):
    """A layout does not hold what it should; the message says where and what."""


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _canonical(data: Any) -> bytes:
    """JSON with one spelling, so that equal data has an equal digest."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def blob(folder: Path, digest: str) -> Path:
    """Where a layout keeps a blob."""
    algorithm, _colon, name = digest.partition(":")
    return folder / "blobs" / algorithm / name


def _read(folder: Path, digest: str) -> Any:
    """The JSON of a blob, after its digest was checked."""
    data = blob(folder, digest).read_bytes()
    if _digest(data) != digest:
        raise LayoutError(f"{folder}: {digest}: found other bytes ({_digest(data)})")
    return json.loads(data)


def _put(folder: Path, data: bytes) -> str:
    """Keep bytes as a blob; their digest."""
    digest = _digest(data)
    path = blob(folder, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def only_manifest(folder: Path) -> dict[str, Any]:
    """The descriptor of the one image in a layout."""
    manifests = json.loads((folder / "index.json").read_bytes())["manifests"]
    if len(manifests) != 1:
        raise LayoutError(f"{folder}/index.json: found {len(manifests)} images, expected one")
    descriptor: dict[str, Any] = manifests[0]
    return descriptor


def compress(folder: Path, result: Path) -> str:
    """Write the one image of a layout into a new layout with zstd layers; the digest of its manifest.

    Layers may be plain or gzip. The digest depends on the layers' contents and the configuration alone.
    """
    manifest = _read(folder, only_manifest(folder)["digest"])
    layers = [_compress_layer(folder, layer, result) for layer in manifest["layers"]]
    config = _put(result, _canonical(_read(folder, manifest["config"]["digest"])))
    fresh = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(result, config, "application/vnd.oci.image.config.v1+json"),
        "layers": layers,
    }
    digest = _put(result, _canonical(fresh))
    _write_index(result, [_descriptor(result, digest, MANIFEST_TYPE)])
    return digest


def _descriptor(folder: Path, digest: str, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": blob(folder, digest).stat().st_size}


def _compress_layer(folder: Path, layer: Mapping[str, Any], result: Path) -> dict[str, Any]:
    """Compress one layer into the new layout; its descriptor there."""
    source = blob(folder, layer["digest"])
    plain = result / "layer.tar"
    packed = result / "layer.tar.zst"
    result.mkdir(parents=True, exist_ok=True)
    if layer["mediaType"].endswith("gzip"):
        with gzip.open(source) as reader, plain.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
        source = plain
    progress.run(["zstd", f"-{ZSTD_LEVEL}", "-T0", "--quiet", "--force", "-o", packed, source])
    plain.unlink(missing_ok=True)
    digest = hashlib.sha256()
    with packed.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    name = f"sha256:{digest.hexdigest()}"
    blob(result, name).parent.mkdir(parents=True, exist_ok=True)
    packed.replace(blob(result, name))
    return _descriptor(result, name, f"{LAYER_TYPE}+zstd")


def _write_index(folder: Path, manifests: list[dict[str, Any]]) -> None:
    """Make a folder of blobs a layout."""
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    (folder / "index.json").write_bytes(_canonical(index))
    (folder / "oci-layout").write_bytes(_canonical(LAYOUT_FILE))


def pack(folder: Path, archive: Path) -> None:
    """A tar of a layout: index first, then blobs by name, all times zero."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("oci-layout", "index.json"):
            _add(tar, name, (folder / name).read_bytes())
        for path in sorted((folder / "blobs").glob("*/*")):
            info = tarfile.TarInfo(str(path.relative_to(folder)))
            info.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(info, file)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def files(archive: Path, folder: Path) -> list[int]:
    """How many regular files an archive's one image makes and their summed size, by what is in it.

    folder: for its parts, while it is read.
    """
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    manifest = _read(folder, only_manifest(folder)["digest"])
    return oci_files.count(oci_files.members(blob(folder, layer["digest"])) for layer in manifest["layers"])


def merge(archives: Mapping[str, Path], result: Path) -> list[dict[str, Any]]:
    """One archive out of many, each with one image; every blob is written once.

    archives: archive by the image's full name, which the result's index carries for containerd.
    Returns name and digest of each image, and its files (number, bytes), by name.
    """
    manifests: list[dict[str, Any]] = []
    with tarfile.open(result, "w", format=tarfile.GNU_FORMAT) as merged:
        blobs: set[str] = set()
        for name, path in sorted(archives.items()):
            with tarfile.open(path) as archive:
                manifests.append(_named(name, archive, path))
                for member in archive:
                    if member.name.startswith("blobs/") and member.isfile() and member.name not in blobs:
                        blobs.add(member.name)
                        info = tarfile.TarInfo(member.name)
                        info.size = member.size
                        merged.addfile(info, archive.extractfile(member))
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
        _add(merged, "index.json", _canonical(index))
        _add(merged, "oci-layout", _canonical(LAYOUT_FILE))
    listed = []
    for item in manifests:
        name = item["annotations"][NAME_ANNOTATIONS[0]]
        with tempfile.TemporaryDirectory(dir=result.parent) as folder:
            listed.append({"name": name, "digest": item["digest"], "files": files(archives[name], Path(folder))})
    return listed


def _named(name: str, archive: tarfile.TarFile, path: Path) -> dict[str, Any]:
    """The descriptor of an archive's one image, with the annotations that name it."""
    file = archive.extractfile("index.json")
    manifests = json.load(file)["manifests"] if file else []
    if len(manifests) != 1:
        raise LayoutError(f"{path}: index.json: found {len(manifests)} images, expected one")
    descriptor = {key: manifests[0][key] for key in ("mediaType", "digest", "size")}
    return {**descriptor, "annotations": dict.fromkeys(NAME_ANNOTATIONS, name)}
