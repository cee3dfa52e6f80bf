"""Lines that say what is being built, how long it took last time and how much is left."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Say = Callable[[str], None]

HEARTBEAT_SECONDS = 60.0
OUTPUT_TAIL = 3000


class CommandError(Exception):
    """A command ended badly; the message holds the command, its exit status and the end of what it said."""


def spell(seconds: float) -> str:
    """A duration as people say it: ``8 s``, ``1 min 40 s`` below ten minutes, ``12 min`` from there on."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes >= 10 or rest == 0:
        return f"{round(seconds / 60)} min"
    return f"{minutes} min {rest} s"


def start_line(pending: Sequence[str], position: int, last: Mapping[str, float]) -> str:
    """The line shown when a step starts.

    pending: names of all steps of this run, in order. position: index of the one that starts.
    last: seconds that steps took last time, by name; a name that is missing has never been built here.
    """
    name = pending[position]
    parts = [f"building {name} ({position + 1} of {len(pending)})"]
    if name in last:
        parts.append(f"took {spell(last[name])} last time")
    ahead = pending[position:]
    known = [last[item] for item in ahead if item in last]
    unknown = len(ahead) - len(known)
    if known and not unknown:
        parts.append(f"about {spell(sum(known))} left")
    elif known:
        parts.append(f"about {spell(sum(known))} left and {unknown} never built here")
    return ", ".join(parts)


@contextlib.contextmanager
def heartbeat(name: str, say: Say, every: float = HEARTBEAT_SECONDS) -> Iterator[None]:
    """Say every so many seconds that a step is still at work, until the block ends."""
    done = threading.Event()
    began = time.monotonic()

    def beat() -> None:
        while not done.wait(every):
            say(f"still building {name}, {spell(time.monotonic() - began)} so far")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run(
    argv: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> str:
    """Standard output of a command. Raises CommandError when it is missing or its exit status is not 0."""
    words = [str(word) for word in argv]
    shown = " ".join(words)[:400]
    try:
        done = subprocess.run(words, cwd=cwd, env=env, input=stdin, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]}: no such command. Try: requirements/install.sh") from error
    if done.returncode != 0:
        text = (done.stderr or done.stdout).decode(errors="replace").strip()[-OUTPUT_TAIL:]
        raise CommandError(f"{shown}: exit status {done.returncode}:\n{text}")
    return done.stdout.decode(errors="replace")
