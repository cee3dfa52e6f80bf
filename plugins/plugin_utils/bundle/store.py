"""The cache: finished files by their sha256, and an index from the hash of all inputs to the file they gave.

<cache>/store/sha256/ab/abcd…   one finished file; read-only; appears by rename, so it is whole or absent
<cache>/index/<key>.json        what these inputs gave: sha256, size, seconds, and the file's stamp
<cache>/durations.json          seconds that every step took last time
<cache>/work/                   what is being made; may be removed whenever no run is on
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.progress import Say

CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def key_of(inputs: Any) -> str:
    """Hex sha256 of plain data, whatever the order of its mappings."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a reader sees the old text or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(path)


@dataclass(frozen=True)
class Entry:
    """One finished file. seconds: how long it took. mtime_ns, inode: its stamp when it was last known to be whole."""

    name: str
    sha256: str
    size: int
    mtime_ns: int
    inode: int
    seconds: float
    extra: dict[str, Any] = field(default_factory=dict)


class Store:
    """Finished files below one folder. Only one run at a time may add to it: hold ``lock()``."""

    def __init__(self, root: Path) -> None:
        """root: the cache folder, made when it is missing."""
        self.root = root
        self.work = root / "work"
        self._entries: dict[str, Entry | None] = {}
        self._checked: dict[str, bool] = {}

    @contextlib.contextmanager
    def lock(self, say: Say) -> Iterator[None]:
        """Wait until no other run uses this cache, and keep others waiting while the block runs."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "bundle.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another run is using {self.root}, waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def path(self, sha256: str) -> Path:
        """Where the file with this hash is, or would be."""
        return self.root / "store" / "sha256" / sha256[:2] / sha256

    def lookup(self, key: str) -> Entry | None:
        """What these inputs gave, if they were ever built here; the file itself is not looked at."""
        if key not in self._entries:
            try:
                text = (self.root / "index" / f"{key}.json").read_text(encoding="utf-8")
                self._entries[key] = Entry(**json.loads(text))
            except (FileNotFoundError, ValueError, TypeError):
                self._entries[key] = None
        return self._entries[key]

    def intact(self, key: str, entry: Entry, full: bool = False) -> bool:
        """Whether the file of an entry is there and whole.

        Its size, mtime and inode are compared with the recorded ones; only when the latter two differ, or when
        ``full``, is it read and hashed. A file that hashes well gets its new stamp recorded.
        """
        if entry.sha256 in self._checked:
            return self._checked[entry.sha256]
        path = self.path(entry.sha256)
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        stamped = (stat.st_mtime_ns, stat.st_ino) == (entry.mtime_ns, entry.inode)
        whole = stat.st_size == entry.size
        if whole and (full or not stamped):
            whole = sha256_of(path) == entry.sha256
            self._checked[entry.sha256] = whole
        if whole and not stamped:
            stamp = {"mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}
            self._record(key, Entry(**{**asdict(entry), **stamp}))
        return whole

    def add(self, key: str, name: str, fresh: Path, seconds: float, extra: dict[str, Any]) -> Entry:
        """Take a finished file into the store and record it. ``fresh`` is moved; it must be below the cache."""
        sha256 = sha256_of(fresh)
        fresh.chmod(0o755 if os.access(fresh, os.X_OK) else 0o644)
        path = self.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(path)
        stat = path.stat()
        entry = Entry(name, sha256, stat.st_size, stat.st_mtime_ns, stat.st_ino, round(seconds, 2), extra)
        self._checked.pop(sha256, None)
        self._record(key, entry)
        write_json(self.root / "durations.json", {**self.durations(), name: entry.seconds})
        return entry

    def durations(self) -> dict[str, float]:
        """Seconds that steps took last time, by name."""
        try:
            durations: dict[str, float] = json.loads((self.root / "durations.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return durations

    @contextlib.contextmanager
    def workspace(self, name: str) -> Iterator[Path]:
        """An empty folder for one step, removed when the step succeeds and before it is tried again."""
        folder = self.work / name.replace("/", "_").replace(" ", "_")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    def _record(self, key: str, entry: Entry) -> None:
        """Write an index entry."""
        write_json(self.root / "index" / f"{key}.json", asdict(entry))
        self._entries[key] = entry
