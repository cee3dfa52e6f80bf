"""Commands of the host, whose failures become messages."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class HostStateError(Exception):
    """A step failed on the host; the message names the step, what was found and what to try."""


def run(argv: Sequence[str], timeout: float = 300.0) -> str:
    """Run a command and return its standard output; raise HostStateError with its last words when it fails."""
    try:
        done = subprocess.run(list(argv), capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise HostStateError(f"{argv[0]}: command not found") from error
    except subprocess.TimeoutExpired as error:
        raise HostStateError(f"{' '.join(argv)}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise HostStateError(f"{' '.join(argv)}: exit status {done.returncode}: {words}")
    return done.stdout
