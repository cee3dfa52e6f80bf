"""Programs of a host that a reconciliation starts, as small scripts that write down what they were asked."""

from __future__ import annotations

from pathlib import Path


class Programs:
    """Scripts in a folder. log: every start, a line each: the program and its arguments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self.log_path = folder / "log"
        self.log_path.touch()

    @property
    def log(self) -> list[str]:
        """What was started, in order."""
        return self.log_path.read_text().splitlines()

    def add(self, name: str, body: str = "") -> str:
        """A program with that shell text; its path."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log_path}\n{body}\n')
        path.chmod(0o755)
        return str(path)
