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

    def judge(self) -> tuple[dict[str, image_content.Damage], dict[str, str]]:
        """What the module finds."""
        return image_content.judge(self.images, str(self.content))

    def damaged(self) -> list[str]:
        """Names of what the module finds damaged."""
        return list(self.judge()[0])


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


def test_an_image_that_cannot_be_mounted_is_no_damaged_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """H5: nobody has seen what is in it; ctr's own words are told, and the next look tries again."""

    def unpacked(_name: str) -> list[int]:
        raise image_content.MountError("ctr: too many levels of symbolic links")

    monkeypatch.setattr(image_content, "unpacked", unpacked)
    for _look in range(2):
        assert store.judge() == ({}, {"a:1": "ctr: too many levels of symbolic links"})
    store.path(store.layers[0]).unlink()
    assert store.judge() == ({"a:1": image_content.Damage((store.layers[0],))}, {}), "a hash says more than a mount"


@pytest.mark.parametrize(
    ("harm", "damage"),
    [
        (lambda store: store.path(store.layers[1]).write_bytes(b"tw"), lambda store: ((store.layers[1],), False)),
        (lambda store: store.path(store.manifest).write_bytes(b""), lambda store: ((store.manifest,), False)),
        (lambda store: (store.files / "bin" / "tool").write_bytes(b""), lambda store: ((), True)),
    ],
    ids=["layer", "manifest", "unpacked file"],
)
def test_damage_says_what_has_to_be_replaced(
    store: Store, harm: Callable[[Store], object], damage: Callable[[Store], tuple[tuple[str, ...], bool]]
) -> None:
    harm(store)
    assert store.judge()[0] == {"a:1": image_content.Damage(*damage(store))}


def test_what_replaces_a_damaged_image_is_looked_at_again(store: Store) -> None:
    words = [store.manifest, *map(str, image_content.count(str(store.files)))]
    (store.files / "bin" / "tool").write_bytes(b"")
    image_content.main([*words, image_content.LOOK_AGAIN, store.manifest])
    assert store.damaged() == ["a:1"]
    image_content.main(words)
    assert store.damaged() == [], "what was imported is not read again"


def test_unpacked_layers_have_the_keys_that_containerd_gives_them(store: Store) -> None:
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    config = store.blob(json.dumps({"rootfs": {"type": "layers", "diff_ids": [one, two]}}).encode())
    manifest = store.blob(json.dumps({"config": {"digest": config}, "layers": []}).encode())
    upper = "sha256:" + hashlib.sha256(f"{one} {two}".encode()).hexdigest()
    assert image_content.chain(manifest, str(store.content)) == [one, upper]
    store.path(config).write_bytes(b"")
    assert image_content.chain(manifest, str(store.content)) == []


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo warning >&2; echo 'ctr: failed to mount: EINVAL' >&2; exit 1", "ctr: failed to mount: EINVAL"),
        ("exit 3", "exit status 3 of ctr images mount"),
        ("case $4 in mount) exec sleep 9; esac", "no end of ctr images mount after 0 s"),
        ("case $4 in mount) printf 12345 > $6/file; esac", [1, 5]),
    ],
)
def test_a_mount_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: str | list[int]
) -> None:
    ctr = tmp_path / "ctr"
    ctr.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    ctr.chmod(0o755)
    monkeypatch.setattr(image_content, "MOUNT_SECONDS", 0.4 if "sleep" in script else 30)
    if isinstance(found, list):
        assert image_content.unpacked("a:1", str(ctr)) == found
        return
    with pytest.raises(image_content.MountError) as error:
        image_content.unpacked("a:1", str(ctr))
    assert str(error.value) == found


def test_the_counter_runs_alone(store: Store) -> None:
    """Its source is copied to the hosts, where nothing of this project can be imported."""
    source = Path(image_content.__file__).read_text(encoding="utf-8")
    assert "ansible_collections" not in source
