"""The content-addressed store of artifacts on a host: a file's name is its sha256, so presence is knowledge."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tarfile
from dataclasses import dataclass
from typing import Any

STORE = "/opt/twinstack/store"


@dataclass(frozen=True)
class Wanted:
    """One artifact that the host should hold.

    link: absolute path of a symbolic link to it, or empty. packed: it travels compressed by gzip.
    """

    name: str
    sha256: str
    size: int
    link: str = ""
    packed: bool = False


def parse(items: list[dict[str, Any]]) -> list[Wanted]:
    """Wanted artifacts from a module's arguments."""
    return [
        Wanted(item["name"], item["sha256"], int(item["size"]), item.get("link") or "", bool(item.get("packed")))
        for item in items
    ]


def missing(wanted: list[Wanted], store: str = STORE) -> list[Wanted]:
    """Those that the store does not hold in full; only names and sizes are looked at, nothing is read."""

    def absent(item: Wanted) -> bool:
        try:
            return os.stat(os.path.join(store, item.sha256)).st_size != item.size
        except FileNotFoundError:
            return True

    return [item for item in wanted if absent(item)]


def wrong_links(wanted: list[Wanted], store: str = STORE) -> list[Wanted]:
    """Those whose link is absent or points elsewhere."""

    def wrong(item: Wanted) -> bool:
        try:
            return os.readlink(item.link) != os.path.join(store, item.sha256)
        except OSError:
            return True

    return [item for item in wanted if item.link and wrong(item)]


def file_sha256(path: str) -> str:
    """Hex sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def take(archive: tarfile.TarFile, item: Wanted, store: str = STORE) -> None:
    """Unpack one artifact out of an archive that has just arrived, verify it, and only then give it its name.

    One pass: the hash is that of the bytes which were written. Raises ValueError when they are not what they claim to
    be, and leaves nothing then; KeyError when the archive does not hold it.
    """
    source = archive.extractfile(item.sha256)
    if source is None:
        raise ValueError(f"{item.name}: found no plain file in the archive")
    os.makedirs(store, mode=0o755, exist_ok=True)
    target = os.path.join(store, item.sha256)
    arriving = target + ".new"
    digest = hashlib.sha256()
    try:
        with gzip.GzipFile(fileobj=source) if item.packed else source as stream, open(arriving, "wb") as sink:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                sink.write(chunk)
        if digest.hexdigest() != item.sha256:
            raise ValueError(
                f"{item.name}: sha256: found {digest.hexdigest()}, expected {item.sha256}; the copy was dropped. "
                "Try again; if it repeats: playbooks/bundle.yml -e bundle_verify=true"
            )
        os.chmod(arriving, 0o755)
        os.replace(arriving, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(arriving)
        raise


def link(item: Wanted, store: str = STORE) -> None:
    """Point the artifact's link at the store, atomically; ValueError when something that is no link is there."""
    if os.path.lexists(item.link) and not os.path.islink(item.link):
        raise ValueError(
            f"{item.link}: found a file that is not ours, expected nothing or a link into {store}; remove or rename it"
        )
    os.makedirs(os.path.dirname(item.link), exist_ok=True)
    staged = item.link + ".twinstack-new"
    if os.path.lexists(staged):
        os.unlink(staged)
    os.symlink(os.path.join(store, item.sha256), staged)
    os.replace(staged, item.link)
