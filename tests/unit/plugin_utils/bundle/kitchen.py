"""A small bundle with real files, and a count of what was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Engine, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Entry, Store


class Kitchen:
    """Three steps in a row, `meal` from `dough` from `flour`, and a count of how often each ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.said: list[str] = []
        self.texts = {"flour": "flour", "dough": "dough", "meal": "meal"}
        self.broken = ""

    def _recipe(self, name: str, need: str = "") -> Callable[[BuildContext], BuildResult]:
        def run(build: BuildContext) -> BuildResult:
            self.ran.append(name)
            if self.broken == name:
                raise progress.CommandError("out of gas")
            path = build.folder / name
            path.write_text((build.needs[need].read_text() + "+" if need else "") + self.texts[name])
            return BuildResult(path, {"made": name})

        return run

    def engine(self, rebuild: tuple[str, ...] = (), verify: bool = False) -> Engine:
        """A fresh engine over the same cache, as the next run would have it."""
        steps = [
            Step("flour", {"text": self.texts["flour"]}, self._recipe("flour")),
            Step("dough", {"text": self.texts["dough"]}, self._recipe("dough", "flour"), ("flour",)),
            Step("meal", {"text": self.texts["meal"]}, self._recipe("meal", "dough"), ("dough",)),
        ]
        self.ran.clear()
        return Engine(steps, Store(self.root), self.said.append, verify, rebuild)

    def cook(self, rebuild: tuple[str, ...] = (), verify: bool = False) -> Entry:
        """One run for `meal`."""
        return self.engine(rebuild, verify).make(["meal"])["meal"]

    def path(self, entry: Entry) -> Path:
        """Where an entry's file lies."""
        return Store(self.root).path(entry.sha256)
