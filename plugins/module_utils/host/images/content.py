"""Whether the images that containerd lists are really there: blobs by their hash, unpacked files by number and size.

A power cut can leave an image in containerd's list whose files are empty. What an image is made of is therefore kept
when it was imported (`record`), and the first look after every boot compares (`damaged`); later ones in that boot trust
the first.

The file is also copied to the host as it is and run there (`python3 image_content.py DIGEST ...`) when an import has
ended, beside everything else: it needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping

CTR = "/usr/local/bin/ctr"
CONTENT = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
FOLDER = "/opt/twinstack/images"
RECORD = f"{FOLDER}/unpacked.json"  # digest of an image's manifest -> [files, bytes]
SEEN = "/run/twinstack/images.json"  # digests found whole in this boot; /run is empty after every boot
CHUNK = 1 << 20


def read(path: str) -> dict[str, list[int]]:
    """A record; an absent or damaged one says nothing."""
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write(path: str, data: Mapping[str, list[int]]) -> None:
    """Write a record so that a power cut leaves the old one or the new one."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(data, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".new", path)
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def blob_is_whole(digest: str, content: str = CONTENT) -> bool:
    """Whether a blob (``sha256:...``) is in the content store and hashes to its name."""
    wanted, found = digest.split(":", 1)[1], hashlib.sha256()
    try:
        with open(os.path.join(content, wanted), "rb") as stream:
            while chunk := stream.read(CHUNK):
                found.update(chunk)
    except OSError:
        return False
    return found.hexdigest() == wanted


def blobs_are_whole(manifest: str, seen: dict[str, bool], content: str = CONTENT) -> bool:
    """Whether an image's manifest, configuration and layers are whole. seen: results so far; layers are shared."""

    def whole(digest: str) -> bool:
        if digest not in seen:
            seen[digest] = blob_is_whole(digest, content)
        return seen[digest]

    if not whole(manifest):
        return False
    with open(os.path.join(content, manifest.split(":", 1)[1]), encoding="utf-8") as stream:
        data = json.load(stream)
    return all(whole(item["digest"]) for item in [data["config"], *data["layers"]])


def count(folder: str) -> list[int]:
    """Number and summed size in bytes of the regular files below a folder."""
    files = size = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            found = os.lstat(os.path.join(place, name))
            if found.st_mode & 0o170000 == 0o100000:
                files, size = files + 1, size + found.st_size
    return [files, size]


def unpacked(name: str, ctr: str = CTR) -> list[int]:
    """What ``count`` says of an image's unpacked files; empty when it cannot be mounted."""
    with tempfile.TemporaryDirectory(prefix="twinstack-image-") as folder:
        command = [ctr, "--namespace", "k8s.io", "images"]
        done = subprocess.run([*command, "mount", name, folder], capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            return []
        try:
            return count(folder)
        finally:
            subprocess.run([*command, "unmount", "--rm", folder], capture_output=True, timeout=60, check=False)


def record(images: Mapping[str, list[int]]) -> None:
    """Remember what makes up images that were just imported, and that they are whole in this boot.

    images: number and summed size of their files by digest, as the bundle says; counting them here would take as long
    as a tenth of the import.
    """
    write(RECORD, {**read(RECORD), **images})
    write(SEEN, {**read(SEEN), **{digest: [] for digest in images}})


def damaged(images: Mapping[str, str], content: str = CONTENT) -> list[str]:
    """Names of images whose content is not what it was; each is looked at once per boot. images: digest by name."""
    seen, known = read(SEEN), read(RECORD)
    suspects = {name: digest for name, digest in images.items() if digest not in seen}
    if not suspects:
        return []
    blobs: dict[str, bool] = {}
    broken = []
    for name, digest in suspects.items():
        if not blobs_are_whole(digest, blobs, content) or (digest in known and unpacked(name) != known[digest]):
            broken.append(name)
    write(SEEN, {**seen, **{digest: [] for name, digest in suspects.items() if name not in broken}})
    return sorted(broken)


def main(arguments: Iterable[str]) -> None:
    """``DIGEST FILES BYTES DIGEST FILES BYTES ...`` of what was imported."""
    words = list(arguments)
    record({digest: [int(files), int(size)] for digest, files, size in zip(words[::3], words[1::3], words[2::3])})


if __name__ == "__main__":
    main(sys.argv[1:])
