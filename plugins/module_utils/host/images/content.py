"""Whether the images that containerd lists are really there: blobs by their hash, unpacked files by number and size.

A power cut can leave an image in containerd's list whose files are empty. What an image is made of is therefore kept
when it was imported (`record`), and the first look after every boot compares (`judge`); later ones in that boot trust
the first. An image that cannot be mounted is no damaged one: nobody has seen what is in it.

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
from dataclasses import dataclass
from typing import Any

CTR = "/usr/local/bin/ctr"
CONTENT = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
FOLDER = "/opt/twinstack/images"
RECORD = f"{FOLDER}/unpacked.json"  # digest of an image's manifest -> [files, bytes]
SEEN = "/run/twinstack/images.json"  # digests found whole in this boot; /run is empty after every boot
MOUNTED = "twinstack-image-"  # what the folders begin with in which images are mounted for a look
MOUNT_SECONDS = 60.0
LOOK_AGAIN = "--look-again"
CHUNK = 1 << 20


class MountError(Exception):
    """An image cannot be mounted; the message is ctr's own words."""


@dataclass(frozen=True)
class Damage:
    """What is wrong with an image.

    blobs: digests of those that are missing or hash to something else. files: number or size of its unpacked files
    are not the recorded ones.
    """

    blobs: tuple[str, ...] = ()
    files: bool = False


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


def broken_blobs(manifest: str, seen: dict[str, bool], content: str = CONTENT) -> list[str]:
    """Those of an image's manifest, configuration and layers that are not whole, the manifest first.

    A broken manifest names no others. seen: results so far; layers are shared.
    """

    def whole(digest: str) -> bool:
        if digest not in seen:
            seen[digest] = blob_is_whole(digest, content)
        return seen[digest]

    if not whole(manifest):
        return [manifest]
    data = read_blob(manifest, content)
    return [item["digest"] for item in [data["config"], *data["layers"]] if not whole(item["digest"])]


def read_blob(digest: str, content: str = CONTENT) -> dict[str, Any]:
    """The JSON of a blob that is whole."""
    with open(os.path.join(content, digest.split(":", 1)[1]), encoding="utf-8") as stream:
        data: dict[str, Any] = json.load(stream)
    return data


def chain(manifest: str, content: str = CONTENT) -> list[str]:
    """Keys of an image's unpacked layers in containerd, the lowest first; none when its description is broken.

    Each is the digest of the one below and of its own (OCI image specification, ChainID).
    """
    try:
        layers = read_blob(read_blob(manifest, content)["config"]["digest"], content)["rootfs"]["diff_ids"]
    except (OSError, ValueError, KeyError):
        return []
    keys: list[str] = []
    for layer in layers:
        keys.append("sha256:" + hashlib.sha256(f"{keys[-1]} {layer}".encode()).hexdigest() if keys else layer)
    return keys


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
    """What ``count`` says of an image's unpacked files. Raises MountError when it cannot be mounted."""
    with tempfile.TemporaryDirectory(prefix=MOUNTED) as folder:
        command = [ctr, "--namespace", "k8s.io", "images"]
        try:
            done = subprocess.run(
                [*command, "mount", name, folder], capture_output=True, text=True, timeout=MOUNT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            subprocess.run([*command, "unmount", "--rm", folder], capture_output=True, timeout=60, check=False)
            raise MountError(f"no end of ctr images mount after {MOUNT_SECONDS:.0f} s") from error
        if done.returncode != 0:
            words = [line for line in done.stderr.splitlines() if line.startswith("ctr:")] or [done.stderr.strip()]
            raise MountError(words[-1][-1000:] or f"exit status {done.returncode} of ctr images mount")
        try:
            return count(folder)
        finally:
            subprocess.run([*command, "unmount", "--rm", folder], capture_output=True, timeout=60, check=False)


def record(images: Mapping[str, list[int]], look_again: Iterable[str] = ()) -> None:
    """Remember what makes up images that were just imported, and that they are whole in this boot.

    images: number and summed size of their files by digest, as the bundle says; counting them here would take as long
    as a tenth of the import. look_again: digests of those that were damaged before, which the next look judges.
    """
    again = set(look_again)
    write(RECORD, {**read(RECORD), **images})
    write(SEEN, {**read(SEEN), **{digest: [] for digest in images if digest not in again}})


def unseen(images: Mapping[str, str]) -> dict[str, str]:
    """Those that no look of this boot has found whole. images: digest by name."""
    seen = read(SEEN)
    return {name: digest for name, digest in images.items() if digest not in seen}


def judge(images: Mapping[str, str], content: str = CONTENT) -> tuple[dict[str, Damage], dict[str, str]]:
    """Images whose content is not what it was, and those that cannot be mounted, each with the reason, by name.

    Each is looked at once per boot, until it is found whole. images: digest by name.
    """
    known, blobs = read(RECORD), dict[str, bool]()
    damaged: dict[str, Damage] = {}
    unmountable: dict[str, str] = {}
    whole: dict[str, list[int]] = {}
    for name, digest in unseen(images).items():
        broken = broken_blobs(digest, blobs, content)
        files = False
        # Without its description an image cannot be mounted; and what lacks a layer is imported again anyway.
        if digest in known and (not broken or chain(digest, content)):
            try:
                files = unpacked(name) != known[digest]
            except MountError as error:
                if not broken:
                    unmountable[name] = str(error)
                    continue
        if broken or files:
            damaged[name] = Damage(tuple(broken), files)
        else:
            whole[digest] = []
    if whole:
        write(SEEN, {**read(SEEN), **whole})
    return damaged, unmountable


def main(arguments: Iterable[str]) -> None:
    """``DIGEST FILES BYTES DIGEST FILES BYTES ... --look-again DIGEST ...`` of what was imported."""
    words = list(arguments)
    end = words.index(LOOK_AGAIN) if LOOK_AGAIN in words else len(words)
    images = {digest: [int(files), int(size)] for digest, files, size in zip(*(words[n:end:3] for n in range(3)))}
    record(images, words[end + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
