"""Official downloads: files over HTTP with a pinned sha256, images by skopeo with a pinned digest."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import oci, progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import Artifact
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

CHUNK = 1 << 20
TIMEOUT = 60.0


class DownloadError(Exception):
    """A download failed or is not what was pinned; the message says which and what to try."""


def download(url: str, sha256: str, partial: Path) -> Path:
    """Fetch a file and check its hash; ``partial`` is where it grows, so that a next try goes on where this one ended.

    Raises DownloadError; a file with another hash is removed, one that broke off is kept.
    """
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            mode = "ab" if response.status == http.HTTPStatus.PARTIAL_CONTENT else "wb"
            expected = int(response.headers.get("Content-Length") or -1)
            with partial.open(mode) as file:
                before = file.tell()
                shutil.copyfileobj(response, file, CHUNK)
                got = file.tell() - before
        if expected not in (-1, got):
            raise DownloadError(f"{url}: broke off after {have + got} bytes. Try: run again, it goes on from there")
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            said = f"{error.code} {error.reason}"
            raise DownloadError(f"{url}: the server said {said}. Try: check the version") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{url}: {error}. Try: run again, it goes on where it ended") from error
    found = sha256_of(partial)
    if found != sha256:
        partial.unlink()
        raise DownloadError(f"{url}: sha256: found {found}, expected {sha256}. Try: check the manifest")
    return partial


def file(name: str, artifact: Artifact) -> Step:
    """A step that downloads a file, or one member of a downloaded tar."""
    fields = artifact.provider
    url, sha256, member = fields["url"], fields["sha256"], fields.get("member")

    def run(build: BuildContext) -> BuildResult:
        partial = build.kept / hashlib.sha256(url.encode()).hexdigest()
        fetched = download(url, sha256, partial)
        result = build.folder / artifact.name
        if member:
            # The archive stays for the other members; the work folder is emptied when the run is through.
            with tarfile.open(fetched) as archive:
                content = archive.extractfile(member) if member in archive.getnames() else None
                if content is None:
                    raise DownloadError(f"{url}: found no file {member} in the archive. Try: check the manifest")
                with content, result.open("wb") as target:
                    shutil.copyfileobj(content, target, CHUNK)
        else:
            fetched.replace(result)
        if artifact.kind == "binary":
            result.chmod(0o755)
        return BuildResult(result)

    return Step(name, {"recipe": "download 1", "sha256": sha256, "member": member}, run)


def image(name: str, artifact: Artifact, options: tuple[str, ...] = ()) -> Step:
    """A step that copies an image by digest, recompressed with zstd. options: more words for ``skopeo copy``."""
    source, digest = artifact.provider["image"], artifact.provider["digest"]
    repository = source.rsplit(":", 1)[0]

    def run(build: BuildContext) -> BuildResult:
        layout = build.folder / "layout"
        argv = ["skopeo", "copy", "--quiet", "--override-os", "linux", "--override-arch", "amd64", *options]
        progress.run([*argv, f"docker://{repository}@{digest}", f"oci:{layout}"])
        packed = build.folder / "packed"
        result = build.folder / "image.tar"
        made = oci.compress(layout, packed)
        oci.pack(packed, result)
        return BuildResult(result, {"digest": made, "upstream_digest": digest})

    return Step(name, {"recipe": "image copy 1", "digest": digest, "level": oci.ZSTD_LEVEL}, run)
