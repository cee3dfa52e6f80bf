"""image_content over a content store in a folder; the unpacked files are folders too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content


class Store:
    """A content store with one image of two layers, unpacked into a folder."""

    def __init__(self, folder: Path) -> None:
        self.content = folder / "blobs"
        self.content.mkdir()
        self.layers = [self.blob(b"one"), self.blob(b"two")]
        self.config = self.blob(b"{}")
        manifest = {"config": {"digest": self.config}, "layers": [{"digest": layer} for layer in self.layers]}
        self.manifest = self.blob(json.dumps(manifest).encode())
        self.files = folder / "unpacked"
        (self.files / "bin").mkdir(parents=True)
        (self.files / "bin" / "tool").write_bytes(b"program")
        (self.files / "link").symlink_to("bin/tool")
        self.images = {"a:1": self.manifest}

    def blob(self, data: bytes) -> str:
        """Store a blob; its digest."""
        name = hashlib.sha256(data).hexdigest()
        (self.content / name).write_bytes(data)
        return f"sha256:{name}"

    def path(self, digest: str) -> Path:
        """Where a blob lies."""
        return self.content / digest.split(":")[1]

    def damaged(self) -> list[str]:
        """What the module finds."""
        return image_content.damaged(self.images, str(self.content))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An image that was recorded and has not been looked at since the host booted."""
    made = Store(tmp_path)
    monkeypatch.setattr(image_content, "RECORD", str(tmp_path / "kept" / "unpacked.json"))
    monkeypatch.setattr(image_content, "SEEN", str(tmp_path / "run" / "images.json"))
    monkeypatch.setattr(image_content, "unpacked", lambda name: image_content.count(str(made.files)))
    image_content.record({made.manifest: image_content.count(str(made.files))})
    Path(image_content.SEEN).unlink()
    return made


def test_what_is_whole_is_looked_at_once_per_boot(store: Store) -> None:
    assert store.damaged() == []
    (store.files / "bin" / "tool").write_bytes(b"")
    assert store.damaged() == [], "it was read twice in one boot"
    Path(image_content.SEEN).unlink()
    assert store.damaged() == ["a:1"]
    assert store.damaged() == ["a:1"], "what is damaged counts as seen"


@pytest.mark.parametrize(
    "harm",
    [
        lambda store: (store.files / "bin" / "tool").write_bytes(b""),
        lambda store: (store.files / "bin" / "tool").unlink(),
        lambda store: store.path(store.layers[1]).write_bytes(b"tw"),
        lambda store: store.path(store.layers[1]).unlink(),
        lambda store: store.path(store.config).write_bytes(b"  "),
        lambda store: store.path(store.manifest).write_bytes(b""),
    ],
    ids=["empty file", "no file", "cut layer", "no layer", "other configuration", "empty manifest"],
)
def test_what_a_power_cut_does_is_found(store: Store, harm: Callable[[Store], object]) -> None:
    harm(store)
    assert store.damaged() == ["a:1"]


def test_an_image_that_nobody_counted_is_judged_by_its_blobs(store: Store) -> None:
    Path(image_content.RECORD).write_text("{half a rec", encoding="utf-8")
    assert store.damaged() == []


def test_an_image_that_cannot_be_mounted_is_damaged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_content, "unpacked", lambda name: [])
    assert store.damaged() == ["a:1"]


def test_the_counter_runs_alone(store: Store) -> None:
    """Its source is copied to the hosts, where nothing of this project can be imported."""
    source = Path(image_content.__file__).read_text(encoding="utf-8")
    assert "ansible_collections" not in source
