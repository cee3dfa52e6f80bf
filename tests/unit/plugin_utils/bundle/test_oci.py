"""Image layouts: zstd layers, one archive out of many, the same bytes every time; with real files and a real zstd."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import oci

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(name: str) -> bytes:
    """A tar with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 5000
        tar.addfile(info, io.BytesIO(name[:1].encode() * 5000))
    return buffer.getvalue()


def put(folder: Path, data: bytes, media_type: str) -> dict[str, Any]:
    """A blob in a layout."""
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (folder / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def layout(folder: Path, layers: list[bytes], gzipped: bool = False) -> Path:
    """A layout with one image, as buildah or skopeo would write it."""
    descriptors = []
    for data in layers:
        packed = gzip.compress(data) if gzipped else data
        descriptors.append(put(folder, packed, GZIP_LAYER if gzipped else oci.LAYER_TYPE))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": put(folder, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": descriptors,
    }
    described = put(folder, json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def archive(folder: Path, name: str, layers: list[bytes]) -> Path:
    """A finished image archive."""
    oci.compress(layout(folder / name / "in", layers), folder / name / "out")
    oci.pack(folder / name / "out", folder / f"{name}.tar")
    return folder / f"{name}.tar"


@pytest.mark.parametrize("gzipped", [False, True])
def test_layers_become_zstd_and_keep_their_content(tmp_path: Path, gzipped: bool) -> None:
    digest = oci.compress(layout(tmp_path / "in", [layer("a"), layer("b")], gzipped), tmp_path / "out")
    manifest = json.loads(oci.blob(tmp_path / "out", digest).read_bytes())
    assert [item["mediaType"] for item in manifest["layers"]] == [f"{oci.LAYER_TYPE}+zstd"] * 2
    config = json.loads(oci.blob(tmp_path / "out", manifest["config"]["digest"]).read_bytes())
    for item, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        path = oci.blob(tmp_path / "out", item["digest"])
        assert path.stat().st_size == item["size"]
        plain = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
        assert "sha256:" + hashlib.sha256(plain).hexdigest() == diff_id


def test_the_digest_does_not_depend_on_how_the_layers_came(tmp_path: Path) -> None:
    plain = oci.compress(layout(tmp_path / "a", [layer("a")]), tmp_path / "a-out")
    packed = oci.compress(layout(tmp_path / "b", [layer("a")], gzipped=True), tmp_path / "b-out")
    assert plain == packed
    assert oci.compress(layout(tmp_path / "c", [layer("c")]), tmp_path / "c-out") != plain


def test_a_set_holds_shared_layers_once_and_names_every_image(tmp_path: Path) -> None:
    base, one, two = layer("base"), layer("one"), layer("two")
    images = {
        "registry.k8s.io/one:v1": archive(tmp_path, "one", [base, one]),
        "docker.io/x/two:v2": archive(tmp_path, "two", [base, two]),
    }
    listed = oci.merge(images, tmp_path / "set.tar")
    assert [item["name"] for item in listed] == sorted(images)
    assert [item["files"] for item in listed] == [[2, 10000]] * 2
    with tarfile.open(tmp_path / "set.tar") as merged:
        names = merged.getnames()
        assert len(names) == len(set(names))
        # Three layers, two configurations, two manifests.
        assert sum(name.startswith("blobs/sha256/") for name in names) == 7
        index = json.load(merged.extractfile("index.json") or io.BytesIO())
        for item in index["manifests"]:
            manifest = merged.extractfile("blobs/sha256/" + item["digest"].removeprefix("sha256:"))
            assert manifest is not None
            data = manifest.read()
            assert "sha256:" + hashlib.sha256(data).hexdigest() == item["digest"]
            assert len(data) == item["size"]
            assert all(
                f"blobs/sha256/{part['digest'].removeprefix('sha256:')}" in names for part in json.loads(data)["layers"]
            )
    annotations = {item["digest"]: item["annotations"] for item in index["manifests"]}
    for item in listed:
        assert annotations[item["digest"]] == dict.fromkeys(oci.NAME_ANNOTATIONS, item["name"])


def test_the_same_images_give_the_same_archive(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    for folder in (tmp_path, tmp_path / "again"):
        oci.merge({"x:1": archive(folder, "x", [layer("x")])}, folder / "set.tar")
    assert (tmp_path / "set.tar").read_bytes() == (tmp_path / "again" / "set.tar").read_bytes()


def test_a_set_can_be_read_by_another_tool(tmp_path: Path) -> None:
    name = "registry.k8s.io/one:v1"
    listed = oci.merge({name: archive(tmp_path, "one", [layer("base"), layer("one")])}, tmp_path / "set.tar")
    argv = ["skopeo", "inspect", "--format", "{{.Digest}}", f"oci-archive:{tmp_path}/set.tar:{name}"]
    assert subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip() == listed[0]["digest"]


def test_damage_and_surprise_are_refused(tmp_path: Path) -> None:
    damaged = layout(tmp_path / "damaged", [layer("a")])
    oci.blob(damaged, oci.only_manifest(damaged)["digest"]).write_text("{}")
    with pytest.raises(oci.LayoutError, match="found other bytes"):
        oci.compress(damaged, tmp_path / "out")
    (damaged / "index.json").write_text('{"manifests": []}')
    with pytest.raises(oci.LayoutError, match="found 0 images, expected one"):
        oci.compress(damaged, tmp_path / "out")
    oci.pack(damaged, tmp_path / "none.tar")
    with pytest.raises(oci.LayoutError, match="found 0 images, expected one"):
        oci.merge({"x:1": tmp_path / "none.tar"}, tmp_path / "set.tar")
