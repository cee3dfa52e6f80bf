"""Pinned programs: from mirrors when one has them, built otherwise, and refused when they are something else."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import mirrors, progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Engine, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Store

PROGRAM = b"program"
SHA256 = hashlib.sha256(PROGRAM).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """No line on the test's screen."""


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder that has the program."""
    folder = tmp_path / "mirror"
    (folder / SHA256[:2]).mkdir(parents=True)
    (folder / SHA256[:2] / SHA256).write_bytes(PROGRAM)
    return folder


@pytest.fixture
def url(mirror: Path) -> Iterator[str]:
    """The same behind an HTTP server on the loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mirror))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Run:
    """One run of an engine over one pinned program whose build gives these bytes."""

    def __init__(self, folder: Path, built: bytes = PROGRAM) -> None:
        self.store = Store(folder / "cache")
        self.said: list[str] = []
        self.builds = 0

        def tool(build: BuildContext) -> BuildResult:
            self.builds += 1
            (build.folder / "tool").write_bytes(built)
            return BuildResult(build.folder / "tool")

        self.step = Step("program tool", {"recipe": "test"}, tool, sha256=SHA256)

    def make(self, *places: str) -> Path:
        """The program's file in the store."""
        entry = Engine([self.step], self.store, self.said.append, mirrors=places).make(["program tool"])["program tool"]
        return self.store.path(entry.sha256)


def test_a_folder_and_a_url_save_the_build(tmp_path: Path, mirror: Path, url: str) -> None:
    for place in (str(mirror), url, f"{url}/"):
        run = Run(tmp_path / place.replace("/", "_"))
        made = run.make(str(tmp_path / "no such folder"), place)
        assert (made.read_bytes(), run.builds) == (PROGRAM, 0)
        assert made.stat().st_mode & 0o111


def test_without_a_mirror_that_has_it_the_program_is_built(tmp_path: Path, mirror: Path, url: str) -> None:
    (mirror / SHA256[:2] / SHA256).unlink()
    run = Run(tmp_path)
    assert run.make(str(mirror), url, "http://127.0.0.1:9").read_bytes() == PROGRAM
    assert run.builds == 1
    assert [line for line in run.said if line.startswith("mirror http://127.0.0.1:9: ")]


def test_a_mirror_that_lies_is_not_believed(tmp_path: Path, mirror: Path) -> None:
    (mirror / SHA256[:2] / SHA256).write_bytes(b"something else")
    run = Run(tmp_path)
    assert run.make(str(mirror)).read_bytes() == PROGRAM
    assert run.builds == 1
    assert any("expected" in line and "not taken" in line for line in run.said)


def test_a_build_that_gives_something_else_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, b"other bytes")
    with pytest.raises(progress.CommandError, match=f"program tool: sha256: found .* expected {SHA256}"):
        run.make()
    assert not (tmp_path / "cache" / "index").exists(), "the wrong program was kept"


def test_nothing_is_fetched_without_mirrors(tmp_path: Path) -> None:
    assert mirrors.fetch([], SHA256, tmp_path / "tool", pytest.fail) is None


def unpinned(folder: Path, builds: list[str]) -> Engine:
    """An engine over an image that is built from a program, neither of known hash; builds: what it had to build."""

    def program(build: BuildContext) -> BuildResult:
        builds.append("program")
        (build.folder / "tool").write_bytes(PROGRAM)
        (build.folder / "tool").chmod(0o755)
        return BuildResult(build.folder / "tool")

    def image(build: BuildContext) -> BuildResult:
        builds.append("image")
        (build.folder / "image").write_bytes(b"image of " + build.needs["program tool"].read_bytes())
        return BuildResult(build.folder / "image", {"digest": "sha256:1"})

    steps = [Step("program tool", {"a": 1}, program), Step("image tool", {"b": 2}, image, needs=("program tool",))]
    return Engine(steps, Store(folder), print)


def test_a_trusted_cache_saves_every_build(tmp_path: Path) -> None:
    builds: list[str] = []
    first = unpinned(tmp_path / "first", builds).make(["image tool"])["image tool"]
    assert builds == ["program", "image"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "first"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for place in (str(tmp_path / "first"), f"http://127.0.0.1:{server.server_port}/"):
            builds.clear()
            engine = unpinned(tmp_path / f"of {place.replace('/', '_')}", builds)
            engine.caches = [str(tmp_path / "none"), place]
            entries = engine.make(["image tool", "program tool"])
            assert builds == []
            assert (entries["image tool"].sha256, entries["image tool"].extra) == (first.sha256, {"digest": "sha256:1"})
            assert engine.store.path(entries["program tool"].sha256).stat().st_mode & 0o111
        server.shutdown()


def test_a_cache_whose_file_is_not_what_it_recorded_is_not_believed(tmp_path: Path) -> None:
    builds: list[str] = []
    source = unpinned(tmp_path / "first", builds)
    entry = source.make(["program tool"])["program tool"]
    source.store.path(entry.sha256).write_bytes(b"damaged")
    builds.clear()
    engine = unpinned(tmp_path / "second", builds)
    engine.caches = [str(tmp_path / "first")]
    assert engine.store.path(engine.make(["program tool"])["program tool"].sha256).read_bytes() == PROGRAM
    assert builds == ["program"]


def test_a_disk_image_stays_sparse(tmp_path: Path) -> None:
    image = tmp_path / "mirror" / "disk"
    image.parent.mkdir()
    with image.open("wb") as file:
        file.write(b"begin")
        file.seek(64 << 20)
        file.write(b"end")
        file.truncate(80 << 20)
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    (image.parent / digest[:2]).mkdir()
    image.rename(image.parent / digest[:2] / digest)
    made = mirrors.fetch([str(image.parent)], digest, tmp_path / "disk", print)
    assert made and made.stat().st_size == 80 << 20
    assert made.stat().st_blocks * 512 < 8 << 20
