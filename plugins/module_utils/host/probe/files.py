"""Small files of a host, read without failing."""

from __future__ import annotations


def read(path: str) -> str:
    """A small text file; empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
