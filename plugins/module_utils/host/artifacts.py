"""The content-addressed store of artifacts on a host: a file's name is its sha256, so presence is knowledge."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from ansible_collections.twinstack.core.plugins.module_utils.host.images.content import sync_folder

STORE = "/opt/twinstack/store"
# Larger pieces take fresh pages from the kernel again and again, which costs more than unpacking on a small host.
CHUNK = 1 << 16
SEEN = "/run/twinstack/artifacts.json"  # files found whole in this boot; /run is empty after every boot


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


def missing(wanted: list[Wanted], store: str = STORE, seen: str | None = None) -> list[Wanted]:
    """Those that the store does not hold in full.

    The first look after a boot, which a power cut may have come before, reads and hashes every file. Later ones look
    at names and sizes alone. seen: where that is remembered; by default only for the store itself.
    """
    seen = (SEEN if store == STORE else "") if seen is None else seen
    whole = read_seen(seen)

    def absent(item: Wanted) -> bool:
        path = os.path.join(store, item.sha256)
        try:
            if os.stat(path).st_size != item.size:
                return True
        except FileNotFoundError:
            return True
        return path not in whole and file_sha256(path) != item.sha256

    lacking = [item for item in wanted if absent(item)]
    write_seen(whole | {os.path.join(store, item.sha256) for item in wanted if item not in lacking}, seen)
    return lacking


def read_seen(seen: str) -> set[str]:
    """Paths of files that were found whole in this boot."""
    try:
        with open(seen, encoding="utf-8") as stream:
            return set(json.load(stream))
    except (OSError, ValueError):
        return set()


def write_seen(paths: set[str], seen: str) -> None:
    """Remember until the next boot that these files are whole; where that cannot be written, they are read again."""
    if seen and paths != read_seen(seen):
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(seen), mode=0o755, exist_ok=True)
            with open(seen + ".new", "w", encoding="utf-8") as stream:
                json.dump(sorted(paths), stream)
            os.replace(seen + ".new", seen)


def wrong_links(wanted: list[Wanted], store: str = STORE) -> list[Wanted]:
    """Those whose link is absent or points elsewhere."""

    def wrong(item: Wanted) -> bool:
        try:
            return os.readlink(item.link) != os.path.join(store, item.sha256)
        except OSError:
            return True

    return [item for item in wanted if item.link and wrong(item)]


def trust(items: list[Wanted], store: str = STORE) -> None:
    """Remember that these files, which have just been verified, are whole."""
    if store == STORE:
        write_seen(read_seen(SEEN) | {os.path.join(store, item.sha256) for item in items}, SEEN)


def file_sha256(path: str) -> str:
    """Hex sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def unpacked(source: IO[bytes]) -> Iterator[bytes]:
    """The content of a gzip stream in pieces of CHUNK; EOFError when it is cut off, zlib.error when it is damaged."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16: with the head and checksum of gzip
    while not unpacker.eof:
        packed = source.read(CHUNK)
        if not packed:
            raise EOFError("the archive ends in the midst of a file")
        while packed:
            yield unpacker.decompress(packed, CHUNK)
            packed = unpacker.unconsumed_tail


def take(archive: tarfile.TarFile, item: Wanted, store: str = STORE) -> None:
    """Unpack one artifact out of an archive that has just arrived, verify it, and only then give it its name.

    One pass: the hash is that of the bytes which were written. Raises ValueError when they are not what they claim to
    be, and leaves nothing then; KeyError when the archive does not hold it.
    """
    source = archive.extractfile(item.sha256)
    if source is None:
        raise ValueError(f"{item.name}: found no plain file in the archive")
    content = unpacked(source) if item.packed else iter(lambda: source.read(CHUNK), b"")
    os.makedirs(store, mode=0o755, exist_ok=True)
    target = os.path.join(store, item.sha256)
    arriving = target + ".new"
    digest = hashlib.sha256()
    try:
        with open(arriving, "wb") as sink:
            for chunk in content:
                digest.update(chunk)
                sink.write(chunk)
            sink.flush()
            os.fsync(sink.fileno())
        if digest.hexdigest() != item.sha256:
            raise ValueError(
                f"{item.name}: sha256: found {digest.hexdigest()}, expected {item.sha256}; the copy was dropped. "
                "Try again; if it repeats: playbooks/bundle.yml -e bundle_verify=true"
            )
        os.chmod(arriving, 0o755)
        os.replace(arriving, target)
        sync_folder(store)
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
    sync_folder(os.path.dirname(item.link))
