"""Official downloads against a real HTTP server and a real registry, both small and both on this machine's loopback."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import oci, upstream
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import Artifact
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.progress import CommandError
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, Engine
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Store

CONTENT = bytes(range(256)) * 400
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Publisher(http.server.ThreadingHTTPServer):
    """Serves `files` with ranges; sends only `cut_at` bytes of a body while that is set; keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut_at: int | None = None
        self.ranges_work = True
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def image(self, name: str) -> str:
        """Make a registry of this server with one image under `name`; the digest of its manifest."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            tar.addfile(tarfile.TarInfo("hello"))
        blobs = {"layer": buffer.getvalue()}
        layers = {"type": "layers", "diff_ids": [f"sha256:{sha256(gzip.decompress(blobs['layer']))}"]}
        config = {"architecture": "amd64", "os": "linux", "rootfs": layers}
        blobs["config"] = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": self._described(blobs["config"], "application/vnd.oci.image.config.v1+json"),
            "layers": [self._described(blobs["layer"], "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        for data in blobs.values():
            self.files[f"/v2/{name}/blobs/sha256:{sha256(data)}"] = data
        data = json.dumps(manifest).encode()
        digest = f"sha256:{sha256(data)}"
        self.files["/v2/"] = b"{}"
        self.files[f"/v2/{name}/manifests/{digest}"] = data
        return digest

    @staticmethod
    def _described(data: bytes, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data)}


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to the publisher."""

    server: Publisher
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.ranges_work:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", MANIFEST_TYPE if "/manifests/" in self.path else "application/octet-stream")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if self.server.cut_at is not None:
            body = body[: self.server.cut_at]
            self.close_connection = True
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def artifact(kind: str, **provider: object) -> Artifact:
    return Artifact("tool", "1", kind, "MIT", ("worker",), provider)


def build(folder: Path) -> BuildContext:
    for name in ("work", "kept"):
        (folder / name).mkdir(exist_ok=True)
    return BuildContext(folder / "work", folder / "kept", {}, {}, lambda _line: None)


def test_a_file_is_fetched_and_checked(tmp_path: Path, publisher: Publisher) -> None:
    publisher.files["/tool"] = CONTENT
    step = upstream.file("tool", artifact("binary", url=publisher.url("/tool"), sha256=sha256(CONTENT)))
    made = step.run(build(tmp_path))
    assert made.path.read_bytes() == CONTENT
    assert made.path.stat().st_mode & 0o111
    assert publisher.asked == [("/tool", None)]


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path, publisher: Publisher) -> None:
    publisher.files["/tool"] = CONTENT
    publisher.cut_at = 30_000
    for _attempt in range(2):
        with pytest.raises(upstream.DownloadError, match="run again, it goes on"):
            upstream.download(publisher.url("/tool"), sha256(CONTENT), tmp_path / "partial")
    assert (tmp_path / "partial").stat().st_size == 60_000
    publisher.cut_at = None
    upstream.download(publisher.url("/tool"), sha256(CONTENT), tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT
    assert [wanted for _path, wanted in publisher.asked] == [None, "bytes=30000-", "bytes=60000-"]


def test_a_server_without_ranges_sends_all_again(tmp_path: Path, publisher: Publisher) -> None:
    publisher.files["/tool"] = CONTENT
    publisher.ranges_work = False
    (tmp_path / "partial").write_bytes(CONTENT[:500])
    upstream.download(publisher.url("/tool"), sha256(CONTENT), tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_a_complete_partial_is_not_fetched_again(tmp_path: Path, publisher: Publisher) -> None:
    publisher.files["/tool"] = CONTENT
    (tmp_path / "partial").write_bytes(CONTENT)
    upstream.download(publisher.url("/tool"), sha256(CONTENT), tmp_path / "partial")
    assert publisher.asked == [("/tool", f"bytes={len(CONTENT)}-")]


def test_another_hash_is_refused_and_not_kept(tmp_path: Path, publisher: Publisher) -> None:
    publisher.files["/tool"] = CONTENT
    with pytest.raises(upstream.DownloadError, match=f"found {sha256(CONTENT)}, expected {'0' * 64}"):
        upstream.download(publisher.url("/tool"), "0" * 64, tmp_path / "partial")
    assert not (tmp_path / "partial").exists()


def test_a_missing_file_and_a_silent_server_are_distinguished(tmp_path: Path, publisher: Publisher) -> None:
    with pytest.raises(upstream.DownloadError, match=r"/gone: the server said 404 .*check the version"):
        upstream.download(publisher.url("/gone"), "0" * 64, tmp_path / "partial")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/tool"
    with pytest.raises(upstream.DownloadError, match=r"refused.*run again"):
        upstream.download(url, "0" * 64, tmp_path / "partial")


def test_two_members_of_one_archive_are_fetched_once(tmp_path: Path, publisher: Publisher) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ("bin/a", "bin/b"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    publisher.files["/all.tar.gz"] = data = buffer.getvalue()
    steps = [
        upstream.file(name, artifact("binary", url=publisher.url("/all.tar.gz"), sha256=sha256(data), member=name))
        for name in ("bin/a", "bin/b")
    ]
    store = Store(tmp_path)
    entries = Engine(steps, store, lambda _line: None).make(["bin/a", "bin/b"])
    assert {name: store.path(entry.sha256).read_text() for name, entry in entries.items()} == {
        "bin/a": "bin/a",
        "bin/b": "bin/b",
    }
    assert [wanted for _path, wanted in publisher.asked] == [None, f"bytes={len(data)}-"]
    with pytest.raises(upstream.DownloadError, match="found no file bin/c"):
        missing = artifact("binary", url=publisher.url("/all.tar.gz"), sha256=sha256(data), member="bin/c")
        upstream.file("bin/c", missing).run(build(tmp_path))


def test_an_image_is_copied_by_digest(tmp_path: Path, publisher: Publisher) -> None:
    digest = publisher.image("calico/node")
    item = artifact("image", image=f"{publisher.address}/calico/node:v1", digest=digest)
    made = upstream.image("image tool", item, ("--src-tls-verify=false",)).run(build(tmp_path))
    images = oci.merge({"docker.io/calico/node:v1": made.path}, tmp_path / "set.tar")
    assert images == [{"name": "docker.io/calico/node:v1", "digest": made.extra["digest"], "files": [1, 0]}]
    assert made.extra["upstream_digest"] == digest
    assert not any(path.endswith("/manifests/v1") for path, _range in publisher.asked)


def test_an_image_with_another_digest_is_refused(tmp_path: Path, publisher: Publisher) -> None:
    digest = publisher.image("calico/node")
    path = f"/v2/calico/node/manifests/{digest}"
    publisher.files[path] = publisher.files[path].replace(b'"schemaVersion": 2', b'"schemaVersion":  2')
    item = artifact("image", image=f"{publisher.address}/calico/node:v1", digest=digest)
    with pytest.raises(CommandError, match="digest"):
        upstream.image("image tool", item, ("--src-tls-verify=false",)).run(build(tmp_path))
