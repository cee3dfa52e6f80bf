"""Files from elsewhere: another machine's cache, as a folder or behind an HTTP server.

A mirror is a folder or URL below which a file lies as ``ab/abcd…``, like ``store/sha256`` of the cache. It need not be
trusted: it serves files of known sha256, what comes is hashed, and what is something else is not taken.

A shared cache is such a cache as a whole. It serves what some inputs gave there, and must be trusted for that: images
and package sets are not the same bytes on every machine, so nothing else says what should come.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.progress import Say
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import CHUNK, sha256_of

TIMEOUT = 60.0


def fetch(mirrors: Sequence[str], sha256: str, target: Path, say: Say) -> Path | None:
    """The file of that hash at ``target``, from the first mirror that has it whole; None when none has.

    A mirror that does not answer, or answers with other bytes, is reported and passed over.
    """
    for mirror in mirrors:
        if not _copy(mirror, f"{sha256[:2]}/{sha256}", target, say):
            continue
        found = sha256_of(target)
        if found == sha256:
            target.chmod(0o755)  # only programs have a hash that is known before
            return target
        say(f"mirror {mirror}: sha256: found {found}, expected {sha256}: not taken")
        target.unlink()
    return None


def take(caches: Sequence[str], key: str, target: Path, say: Say) -> dict[str, Any] | None:
    """What the inputs with this key gave, at ``target``, from the first cache that has it; what was recorded beside it.

    None when no cache has both the record and the very file that it names.
    """
    for cache in caches:
        if not _copy(cache, f"index/{key}.json", target, say):
            continue
        try:
            entry = json.loads(target.read_text(encoding="utf-8"))
            sha256, name, extra = str(entry["sha256"]), str(entry["name"]), dict(entry["extra"])
        except (ValueError, KeyError, TypeError) as error:
            say(f"cache {cache}: index/{key}.json: not understood ({error}): not taken")
            continue
        if fetch([f"{cache.rstrip('/')}/store/sha256"], sha256, target, say):
            target.chmod(0o755 if name.startswith("program ") else 0o644)
            return extra
    return None


def _copy_sparse(source: IO[bytes], target: IO[bytes]) -> None:
    """All bytes, with holes where there are only zeros: a disk image has gigabytes of them."""
    while chunk := source.read(CHUNK):
        if chunk.count(0) == len(chunk):
            target.seek(len(chunk), os.SEEK_CUR)
        else:
            target.write(chunk)
    target.truncate()


def _copy(place: str, path: str, target: Path, say: Say) -> bool:
    """Copy a file below a folder or URL; False when it is not there, or when nothing answers, which is reported."""
    source = f"{place.rstrip('/')}/{path}"
    try:
        if source.startswith(("http://", "https://")):
            with urllib.request.urlopen(source, timeout=TIMEOUT) as response, target.open("wb") as file:
                _copy_sparse(response, file)
        else:
            with Path(source).expanduser().open("rb") as found, target.open("wb") as file:
                _copy_sparse(found, file)
    except FileNotFoundError:
        return False
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.NOT_FOUND:
            say(f"mirror {place}: {error.code} {error.reason}")
        return False
    except (OSError, http.client.HTTPException) as error:
        say(f"mirror {place}: {error}")
        return False
    return True
