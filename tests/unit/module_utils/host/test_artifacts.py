"""The hosts' content-addressed store, in a folder of the test."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import artifacts as artifact_store


def item(content: bytes, link: str = "", packed: bool = False) -> artifact_store.Wanted:
    """A wanted artifact of that content."""
    return artifact_store.Wanted("tool", hashlib.sha256(content).hexdigest(), len(content), link, packed)


def archive(name: str, content: bytes) -> tarfile.TarFile:
    """An archive with one member, opened for reading."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return tarfile.open(fileobj=stream)


@pytest.mark.parametrize("packed", [False, True])
def test_an_artifact_is_taken_linked_and_then_present(tmp_path: Path, packed: bool) -> None:
    store, link = str(tmp_path / "store"), tmp_path / "bin" / "tool"
    wanted = item(b"program", str(link), packed)
    assert artifact_store.missing([wanted], store) == [wanted]
    assert artifact_store.wrong_links([wanted], store) == [wanted]
    sent = gzip.compress(b"program", mtime=0) if packed else b"program"
    artifact_store.take(archive(wanted.sha256, sent), wanted, store)
    artifact_store.link(wanted, store)
    assert link.read_bytes() == b"program"
    assert link.stat().st_mode & 0o777 == 0o755
    assert artifact_store.missing([wanted], store) == []
    assert artifact_store.wrong_links([wanted], store) == []


@pytest.mark.parametrize(
    ("sent", "packed", "error"),
    [
        (b"damaged", False, ValueError),
        (gzip.compress(b"damaged", mtime=0), True, ValueError),
        (gzip.compress(b"program", mtime=0)[:-9], True, EOFError),
        (b"no gzip", True, zlib.error),
    ],
)
def test_what_is_not_what_it_claims_leaves_nothing(
    tmp_path: Path, sent: bytes, packed: bool, error: type[Exception]
) -> None:
    wanted = item(b"program", packed=packed)
    with pytest.raises(error):
        artifact_store.take(archive(wanted.sha256, sent), wanted, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_hash_is_named(tmp_path: Path) -> None:
    wanted = item(b"program")
    with pytest.raises(ValueError, match="tool: sha256: found"):
        artifact_store.take(archive(wanted.sha256, b"damaged"), wanted, str(tmp_path))


def test_a_truncated_file_counts_as_missing(tmp_path: Path) -> None:
    wanted = item(b"program")
    (tmp_path / wanted.sha256).write_bytes(b"prog")
    assert artifact_store.missing([wanted], str(tmp_path)) == [wanted]


def test_the_first_look_after_a_boot_reads_the_files(tmp_path: Path) -> None:
    """A power cut can leave a file of the right size with other bytes in it."""
    store, seen, wanted = str(tmp_path / "store"), str(tmp_path / "run" / "seen.json"), item(b"program")
    artifact_store.take(archive(wanted.sha256, b"program"), wanted, store)
    assert artifact_store.missing([wanted], store, seen) == []
    (tmp_path / "store" / wanted.sha256).write_bytes(bytes(len(b"program")))
    assert artifact_store.missing([wanted], store, seen) == [], "it was read twice in one boot"
    (tmp_path / "run" / "seen.json").unlink()
    assert artifact_store.missing([wanted], store, seen) == [wanted]
    assert artifact_store.missing([wanted], store, seen) == [wanted], "what is damaged counts as whole"


def test_a_new_version_moves_the_link(tmp_path: Path) -> None:
    link = tmp_path / "tool"
    artifact_store.link(item(b"1", str(link)), str(tmp_path))
    artifact_store.link(item(b"2", str(link)), str(tmp_path))
    assert artifact_store.wrong_links([item(b"2", str(link))], str(tmp_path)) == []


def test_a_file_that_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("theirs")
    with pytest.raises(ValueError, match="a file that is not ours"):
        artifact_store.link(item(b"1", str(tmp_path / "tool")), str(tmp_path))
