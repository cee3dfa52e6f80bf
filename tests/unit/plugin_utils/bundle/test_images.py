"""Images as they are really built: by gcc and buildah, from this repository's own pause."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import images
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import Artifact
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult

PAUSE = Path(__file__).resolve().parents[4] / "bundle" / "images" / "pause"


@pytest.fixture(scope="module")
def pause(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled as the recipe compiles it."""
    program = tmp_path_factory.mktemp("pause") / "pause"
    subprocess.run([*images.COMPILER, "-o", program, PAUSE / "pause.c"], check=True)
    return program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_pause_waits_and_ends_on_a_signal(pause: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([pause])
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(5) == 0


def test_pause_reaps_children_that_it_did_not_start(pause: Path) -> None:
    # The shell's child outlives the shell's turning into pause, and becomes pause's to reap.
    process = subprocess.Popen(["sh", "-c", f"sleep 0.2 & exec {pause}"])
    time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert children.read_text().split()
    time.sleep(0.4)
    assert not children.read_text().split()
    process.terminate()
    assert process.wait(5) == 0


def build(folder: Path) -> BuildResult:
    """The image of pause, built in a folder of its own."""
    folder.mkdir()
    artifact = Artifact("pause", "1", "image", "Apache-2.0", ("worker",), {"c_program": "pause.c"}, "x/pause:1")
    return images.image("image pause", artifact, PAUSE, None).run(
        BuildContext(folder, folder, {}, {}, lambda _line: None)
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="buildah with chroot isolation needs root")
def test_two_builds_give_the_same_image(tmp_path: Path) -> None:
    first = build(tmp_path / "first")
    time.sleep(1.1)
    second = build(tmp_path / "second")
    assert first.extra["digest"] == second.extra["digest"]
    assert first.path.read_bytes() == second.path.read_bytes()
    with tarfile.open(first.path) as archive:
        blobs = [archive.extractfile(item) for item in archive if item.name.startswith("blobs/")]
        texts = [blob.read() for blob in blobs if blob]
    configs = [json.loads(text) for text in texts if b'"architecture"' in text]
    assert [config["config"]["Entrypoint"] for config in configs] == [["/pause"]]
    assert configs[0]["created"] == "1970-01-01T00:00:00Z"


@pytest.mark.skipif(os.geteuid() != 0, reason="buildah with chroot isolation needs root")
def test_an_image_is_built_on_its_layer_and_holds_programs_and_packages(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    text = "FROM localhost/small\nCOPY programs/ /bin/\nCOPY deb/share/ /share/\nENTRYPOINT ['/bin/proxy']\n"
    (folder / "Containerfile").write_text(text)
    needs: dict[str, Path] = {}
    for name in ("program agent", "program proxy"):
        needs[name] = tmp_path / name
        needs[name].write_text(name)
    for name in ("pages", "scripts"):
        root = tmp_path / name
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example.org>\nDescription: none\n"
        )
        (root / "share").mkdir()
        (root / "share" / name).write_text(name)
        needs[f"package {name}"] = tmp_path / f"{name}.deb"
        argv: list[str | Path] = ["dpkg-deb", "--root-owner-group", "--build", root, needs[f"package {name}"]]
        subprocess.run(argv, check=True, capture_output=True)
    needs["small"] = tmp_path / "small.tar"
    (tmp_path / "release").write_text("13")
    with tarfile.open(needs["small"], "w") as tar:
        tar.add(tmp_path / "release", "release")
    fields = {"base": "small", "programs": {"agent": "x"}, "binaries": ["proxy"], "deb": ["pages", "scripts"]}
    artifact = Artifact("image", "1", "image", "Apache-2.0", ("worker",), fields, "x/image:1")
    step = images.image("image image", artifact, folder, None)
    assert step.needs == ("program agent", "program proxy", "small", "package pages", "package scripts")
    (tmp_path / "work").mkdir()
    made = step.run(BuildContext(tmp_path / "work", tmp_path, needs, {}, lambda _line: None))
    subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{made.path}", f"dir:{tmp_path / 'out'}"], check=True)
    layers = json.loads((tmp_path / "out" / "manifest.json").read_text())["layers"]
    held = []
    for layer in layers:
        blob = tmp_path / "out" / layer["digest"].removeprefix("sha256:")
        listed = subprocess.run(["tar", "--zstd", "-tf", blob], capture_output=True, text=True, check=True).stdout
        held.append({name for name in listed.split() if not name.endswith("/")})
    assert held == [{"release"}, {"bin/agent", "bin/proxy", "share/pages", "share/scripts"}]


def test_what_a_folder_holds_distinguishes_links_from_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("one")
    (tmp_path / "link").symlink_to("nowhere")
    before = images.contents(tmp_path)
    assert before["link"] == "-> nowhere"
    assert set(before) == {"link", "sub/file"}
    (tmp_path / "sub" / "file").write_text("two")
    assert images.contents(tmp_path)["sub/file"] != before["sub/file"]


def test_a_copied_tree_is_writable_and_its_scripts_run(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sbin").mkdir(parents=True)
    (source / "sbin" / "run").write_text("#!/bin/sh\necho ran\n")
    (source / "data").write_text("data")
    for path in source.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    images.copy_tree(source, tmp_path / "copy")
    assert subprocess.run([tmp_path / "copy/sbin/run"], capture_output=True, check=True).stdout == b"ran\n"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "copy").rglob("*")} == {
        "sbin": "0o755",
        "run": "0o755",
        "data": "0o644",
    }
