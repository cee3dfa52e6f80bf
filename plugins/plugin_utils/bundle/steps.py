"""Steps that make one file each from named inputs and from other steps' files, and the engine that runs the missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import mirrors as mirror_files
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Entry, Store, key_of, sha256_of


@dataclass(frozen=True)
class BuildContext:
    """What a running step is given.

    folder: empty, its own, on the same file system as the store. kept: a folder that outlives the step, for partial
    downloads. needs: the files of the steps it needs, by name. extras: what those steps recorded. say: a progress line.
    """

    folder: Path
    kept: Path
    needs: Mapping[str, Path]
    extras: Mapping[str, dict[str, Any]]
    say: progress.Say


@dataclass(frozen=True)
class BuildResult:
    """What a step hands back: its file, which is moved into the store, and plain data recorded beside it."""

    path: Path
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One file to be made. inputs: plain data; with the needs' contents it decides alone whether to build again.

    sha256: what must come out, where that is known before; a file of that hash is as good from anywhere else.
    """

    name: str
    inputs: Mapping[str, Any]
    run: Callable[[BuildContext], BuildResult]
    needs: tuple[str, ...] = ()
    sha256: str = ""


class Engine:
    """Finds what is missing among the wanted steps and makes it, each finished file kept at once."""

    def __init__(
        self,
        steps: Iterable[Step],
        store: Store,
        say: progress.Say,
        verify: bool = False,
        rebuild: Iterable[str] = (),
        mirrors: Sequence[str] = (),
        caches: Sequence[str] = (),
    ) -> None:
        """verify: read and hash every wanted file. rebuild: names of steps to run though nothing has changed.

        mirrors: folders and URLs that are searched for a file of known hash before it is built. caches: trusted ones
        that are searched for what the same inputs gave there.
        """
        self.caches = caches
        self.mirrors = mirrors
        self.steps = {step.name: step for step in steps}
        self.store = store
        self.say = say
        self.verify = verify
        self._rebuild = set(rebuild)
        self._pending: list[str] = []
        self.built: list[str] = []

    def pending(self, wanted: Iterable[str]) -> list[str]:
        """Names of the steps that a run would make, in order, as far as can be known before making them."""
        names: list[str] = []

        def visit(name: str) -> None:
            key, entry = self._known(name)
            if name in names or (entry and self.store.intact(key, entry, self.verify)):
                return
            for need in self.steps[name].needs:
                visit(need)
            names.append(name)

        for name in wanted:
            visit(name)
        return names

    def make(self, wanted: Iterable[str]) -> dict[str, Entry]:
        """Entries of the wanted steps, each with its file in the store. Raises what a failing step raises."""
        wanted = list(wanted)
        self._pending = self.pending(wanted)
        return {name: self._ensure(name) for name in wanted}

    def _known(self, name: str) -> tuple[str, Entry | None]:
        """Key and entry of a step; no entry when it or something it needs was never built from these inputs."""
        step = self.steps[name]
        hashes: dict[str, str] = {}
        for need in step.needs:
            _key, entry = self._known(need)
            if entry is None:
                return "", None
            hashes[need] = entry.sha256
        key = key_of({"inputs": step.inputs, "needs": hashes})
        return key, None if name in self._rebuild else self.store.lookup(key)

    def _ensure(self, name: str) -> Entry:
        """The entry of a step whose file is whole, made now if need be."""
        key, entry = self._known(name)
        if entry and self.store.intact(key, entry, self.verify):
            return entry
        if entry:
            self.say(f"{name}: the cached file {self.store.path(entry.sha256)} is missing or damaged")
        step = self.steps[name]
        needs = {need: self._ensure(need) for need in step.needs}
        key = key_of({"inputs": step.inputs, "needs": {need: item.sha256 for need, item in needs.items()}})
        entry = None if name in self._rebuild else self.store.lookup(key)
        if entry and self.store.intact(key, entry, self.verify):
            self._pending = [item for item in self._pending if item != name]
            return entry
        return self._build(step, key, needs)

    def _build(self, step: Step, key: str, needs: Mapping[str, Entry]) -> Entry:
        """Run a step and keep its file."""
        if step.name not in self._pending:
            self._pending.insert(len(self.built), step.name)
        self.say(progress.start_line(self._pending, self._pending.index(step.name), self.store.durations()))
        kept = self.store.work / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with self.store.workspace(step.name) as folder, progress.heartbeat(step.name, self.say):
            paths = {need: self.store.path(entry.sha256) for need, entry in needs.items()}
            extras = {need: entry.extra for need, entry in needs.items()}
            result = None if step.name in self._rebuild else self._fetched(step, key, folder / "fetched")
            result = result or step.run(BuildContext(folder, kept, paths, extras, self.say))
            self._compare(step, result.path)
            entry = self.store.add(key, step.name, result.path, time.monotonic() - began, result.extra)
        self._rebuild.discard(step.name)
        self.built.append(step.name)
        return entry

    def _fetched(self, step: Step, key: str, target: Path) -> BuildResult | None:
        """The step's file from elsewhere, if a mirror or a cache has it."""
        if step.sha256 and mirror_files.fetch(self.mirrors, step.sha256, target, self.say):
            return BuildResult(target)
        extra = mirror_files.take(self.caches, key, target, self.say)
        return None if extra is None else BuildResult(target, extra)

    def _compare(self, step: Step, path: Path) -> None:
        """Refuse a file that is not what the manifest pins. Raises CommandError; nothing is kept then."""
        found = sha256_of(path) if step.sha256 else ""
        if found != step.sha256:
            raise progress.CommandError(
                f"{step.name}: sha256: found {found}, expected {step.sha256}: the same sources give the same bytes on "
                "every machine. Try: go env GOFLAGS GOEXPERIMENT, which must be empty; after a change of version, "
                "pin what came out in bundle/*.yml"
            )
