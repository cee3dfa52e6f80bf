"""Files of known sha256 from elsewhere: another machine's cache, as a folder or behind an HTTP server.

A mirror is a folder or URL below which a file lies as ``ab/abcd…``, like ``store/sha256`` of the cache. It need not be
trusted: what comes is hashed, and what is something else is not taken.
"""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.progress import Say
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import CHUNK, sha256_of

TIMEOUT = 60.0


def fetch(mirrors: Sequence[str], sha256: str, target: Path, say: Say) -> Path | None:
    """The file of that hash at ``target``, from the first mirror that has it whole; None when none has.

    A mirror that does not answer, or answers with other bytes, is told and passed over.
    """
    for mirror in mirrors:
        place = f"{mirror.rstrip('/')}/{sha256[:2]}/{sha256}"
        try:
            if place.startswith(("http://", "https://")):
                with urllib.request.urlopen(place, timeout=TIMEOUT) as response, target.open("wb") as file:
                    shutil.copyfileobj(response, file, CHUNK)
            else:
                shutil.copyfile(Path(place).expanduser(), target)
        except FileNotFoundError:
            continue
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.NOT_FOUND:
                say(f"mirror {mirror}: {error.code} {error.reason}")
            continue
        except (OSError, http.client.HTTPException) as error:
            say(f"mirror {mirror}: {error}")
            continue
        found = sha256_of(target)
        if found == sha256:
            target.chmod(0o755)  # only programs have a hash that is known before
            return target
        say(f"mirror {mirror}: sha256: found {found}, expected {sha256}: not taken")
        target.unlink()
    return None
