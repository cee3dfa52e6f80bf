"""Artifacts and images on a host: action and module artifacts in a folder, module images beside a faked containerd."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images import repair
from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store
from ansible_collections.twinstack.core.plugins.modules import images

from tests.conftest import Run, task_play


def bundle(folder: Path, program: bytes = b"program") -> None:
    """A bundle of one program, which travels packed, and one package set."""
    folder.mkdir(exist_ok=True)
    (folder / "tool").write_bytes(program)
    (folder / "tool.gz").write_bytes(gzip.compress(program))
    (folder / "set.tar").write_bytes(b"packages")
    common = {"groups": ["worker"], "version": "1", "licence": "none"}
    described: dict[str, Any] = {
        "tool": common
        | {"kind": "binary", "file": "tool", "path": str(folder / "tool"), "packed": str(folder / "tool.gz")},
        "host-packages": common | {"kind": "package_set", "path": str(folder / "set.tar"), "packages": []},
    }
    for name, facts in described.items():
        content = Path(facts["path"]).read_bytes()
        facts |= {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (folder / "bundle.json").write_text(json.dumps({"schema": 2, "artifacts": described}), encoding="utf-8")


@pytest.fixture
def send(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs a play of the action against this machine, with store and links in the test's folder."""
    bundle(tmp_path / "bundle")
    arguments = {
        "bundle": str(tmp_path / "bundle"),
        "groups": ["worker"],
        "store": str(tmp_path / "store"),
        "bin_dir": str(tmp_path / "bin"),
    }
    path = task_play(tmp_path, "twinstack.core.artifacts", arguments, "found['package_sets']")
    return lambda *words: playbook("-i", "localhost,", path, *words)


def test_what_is_missing_is_sent_once(tmp_path: Path, send: Callable[..., Run]) -> None:
    assert "changed=1" in send("--check").succeeded().output
    assert not (tmp_path / "store").exists()
    first = send().succeeded()
    assert "changed=1" in first.output
    assert (tmp_path / "bin" / "tool").read_bytes() == b"program"
    archive = tmp_path / "store" / hashlib.sha256(b"packages").hexdigest()
    assert archive.read_bytes() == b"packages"
    assert str(archive) in first.output
    assert "changed=0" in send().succeeded().output


def test_a_cut_file_is_sent_again_and_a_new_version_moves_the_link(tmp_path: Path, send: Callable[..., Run]) -> None:
    send().succeeded()
    stored = tmp_path / "store" / hashlib.sha256(b"program").hexdigest()
    stored.write_bytes(b"prog")
    assert "changed=1" in send().succeeded().output
    assert stored.read_bytes() == b"program"
    bundle(tmp_path / "bundle", b"next version")
    assert "changed=1" in send().succeeded().output
    assert (tmp_path / "bin" / "tool").read_bytes() == b"next version"


def test_what_arrives_damaged_is_not_used(tmp_path: Path, send: Callable[..., Run]) -> None:
    (tmp_path / "bundle" / "tool.gz").write_bytes(gzip.compress(b"another program"))
    failed = send()
    assert failed.code != 0
    assert "tool: sha256: found" in failed.output
    assert not (tmp_path / "bin").exists()
    assert not list((tmp_path / "store").glob("*.new"))


class Containerd:
    """What module images reads and starts: images by digest, an import that ends at once or never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.have: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.imported: list[bytes] = []
        monkeypatch.setattr(image_store, "present", self.present)
        monkeypatch.setattr(image_store, "unit_states", lambda *_name: self.states)
        monkeypatch.setattr(image_store, "start_import", self.start)
        self.damaged: list[str] = []
        self.unmountable: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.emptied = 0
        self.removed: list[str] = []
        self.again: list[str] = []
        monkeypatch.setattr(image_content, "judge", self.judge)
        monkeypatch.setattr(image_content, "unseen", lambda images: images)
        monkeypatch.setattr(repair, "look", self.look)
        monkeypatch.setattr(repair, "foreign_images", lambda _offered: ["user:1"])
        monkeypatch.setattr(repair, "remove", lambda plan: self.removed.extend(plan.images))
        monkeypatch.setattr(repair, "empty_store", self.empty)
        monkeypatch.setattr(image_store, "ARCHIVE_FOLDER", str(folder / "archives"))

    def present(self, asked: dict[str, str]) -> dict[str, str]:
        """Those of the requested images that are there with that digest."""
        return {name: digest for name, digest in asked.items() if self.have.get(name) == digest}

    def judge(self, images: dict[str, str]) -> tuple[dict[str, image_content.Damage], dict[str, str]]:
        """What is wrong with these images."""
        damage = {name: image_content.Damage(files=True) for name in self.damaged if name in images}
        return damage, {name: words for name, words in self.unmountable.items() if name in images}

    def look(self, damage: dict[str, image_content.Damage], _images: dict[str, str]) -> repair.Plan:
        """The plan for this damage."""
        container = repair.Container("c1", "ns/pod one", running=True)
        return repair.Plan(sorted(damage), containers=[container] if damage else [], reasons=self.reasons)

    def start(self, path: str, group: str, files: dict[str, list[int]], again: list[str]) -> None:
        """Remember what was to be imported."""
        assert files == {"sha256:aa": [1, 2]}
        self.imported.append(Path(path).read_bytes())
        self.again += again

    def empty(self) -> None:
        """What images/repair.py does, in short."""
        self.emptied += 1
        self.have = {}

    def run(self, capsys: pytest.CaptureFixture[str], check: bool = False, **arguments: Any) -> dict[str, Any]:
        """One run of the module; what it printed."""
        given = {
            "group": "worker",
            "wanted": {"a:1": "sha256:aa", "b:1": "sha256:bb"},
            "files": {"sha256:aa": [1, 2]},
            **arguments,
            "_ansible_check_mode": check,
        }
        with patch_module_args(given), pytest.raises(SystemExit):
            images.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found


@pytest.fixture
def containerd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Containerd:
    """A host without images."""
    return Containerd(monkeypatch, tmp_path)


def test_an_archive_is_imported_when_an_image_is_lacking(
    containerd: Containerd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:old"}
    assert containerd.run(capsys, check=True)["lacking"] == ["b:1"]
    archive = tmp_path / "images.tar"
    archive.write_bytes(b"layers")
    sent: dict[str, Any] = {"archive": str(archive), "sha256": hashlib.sha256(b"layers").hexdigest()}
    found = containerd.run(capsys, **sent)
    assert (found["changed"], found["running"]) == (True, True)
    assert containerd.imported == [b"layers"]


@pytest.fixture
def sent(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Arguments for an archive that the action has just sent."""

    def send() -> dict[str, Any]:
        archive = tmp_path / "images.tar"
        archive.write_bytes(b"layers")
        return {"archive": str(archive), "sha256": hashlib.sha256(b"layers").hexdigest()}

    return send


def test_damaged_images_are_replaced_one_by_one(
    containerd: Containerd, sent: Callable[[], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """H5: the store was emptied for one of them."""
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb"}
    containerd.damaged = ["b:1"]
    told = containerd.run(capsys, check=True)
    assert (told["lacking"], told["damaged"], told["restarted"]) == (["b:1"], ["b:1"], ["ns/pod one"])
    assert containerd.removed == [], "check mode has removed something"
    assert (
        "b:1 (damaged)" in told["diff"]["after"] and "ns/pod one (its container starts anew)" in told["diff"]["after"]
    )
    containerd.run(capsys, **sent())
    assert (containerd.emptied, containerd.removed, containerd.imported) == (0, ["b:1"], [b"layers"])
    assert containerd.again == ["sha256:bb"], "nobody looks whether it is whole now"


@pytest.mark.parametrize("what", ["unmountable", "reasons"])
def test_the_store_is_emptied_only_when_a_variable_says_so(
    containerd: Containerd, sent: Callable[[], dict[str, Any]], capsys: pytest.CaptureFixture[str], what: str
) -> None:
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb"}
    setattr(containerd, what, {"b:1": "ctr: EINVAL"})
    containerd.damaged = ["b:1"] if what == "reasons" else []
    refused = containerd.run(capsys, **sent())
    assert refused["failed"] and refused["foreign"] == ["user:1"]
    assert "image b:1: " in refused["msg"] and "found ctr: EINVAL" in refused["msg"]
    assert "loses user:1" in refused["msg"] and "containerd_recreate_store=true" in refused["msg"]
    assert (containerd.emptied, containerd.removed, containerd.imported) == (0, [], [])
    told = containerd.run(capsys, check=True, recreate_store=True)
    assert (told["recreate"], told["foreign"]) == ("b:1: ctr: EINVAL", ["user:1"])
    assert (told["lacking"], containerd.emptied) == (["a:1", "b:1"], 0)
    containerd.run(capsys, recreate_store=True, **sent())
    assert (containerd.emptied, containerd.removed, containerd.imported) == (1, [], [b"layers"])


def test_the_store_is_never_emptied_for_images_that_the_host_can_be_without(
    containerd: Containerd, sent: Callable[[], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would bring back its own."""
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb"}
    containerd.unmountable = {"b:1": "ctr: EINVAL"}
    found = containerd.run(capsys, group="observability", recreate_store=True, **sent())
    assert found["failed"] and "playbooks/cluster/nodes.yml" in found["msg"]
    assert containerd.emptied == 0


def test_images_of_another_group_are_replaced_with_it(
    containerd: Containerd,
    sent: Callable[[], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb", "mesh:1": "sha256:cc"}
    containerd.damaged = ["mesh:1"]
    offered = {"mesh:1": "sha256:cc"}
    found = containerd.run(capsys, offered=offered)
    assert (found["lacking"], found["damaged"], found["present"]) == ([], ["mesh:1"], {})
    assert warned == ["images: found mesh:1 damaged; they are imported again with their own group"]
    mesh: dict[str, Any] = {"group": "mesh_worker", "wanted": offered, "offered": offered, "exclusive": ["mesh:1"]}
    containerd.run(capsys, **mesh, **sent())
    assert (containerd.removed, containerd.imported) == (["mesh:1"], [b"layers"])


def test_what_only_this_group_brings_is_judged_when_other_imports_have_ended(
    containerd: Containerd, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that replaces the host's own images would leave the mesh's damaged."""
    containerd.states = {image_store.unit("worker"): "running"}
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb"}
    containerd.damaged = ["b:1"]
    waited: list[float] = []

    def wait(timeout: float) -> None:
        waited.append(timeout)
        containerd.states = {}

    monkeypatch.setattr(image_store, "wait_for_imports", wait)
    found = containerd.run(capsys, group="mesh_worker", exclusive=["b:1"])
    assert (found["damaged"], waited) == (["b:1"], [300])


def test_a_damaged_archive_is_not_imported(
    containerd: Containerd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "images.tar"
    archive.write_bytes(b"other layers")
    found = containerd.run(capsys, archive=str(archive), sha256=hashlib.sha256(b"layers").hexdigest())
    assert found["failed"]
    assert "sha256: found" in found["msg"]
    assert containerd.imported == []


def test_nothing_is_sent_beside_a_running_import_or_without_need(
    containerd: Containerd, capsys: pytest.CaptureFixture[str]
) -> None:
    containerd.states = {image_store.unit("worker"): "running"}
    assert containerd.run(capsys)["running"] is True
    containerd.states = {image_store.unit("worker"): "success"}
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb"}
    found = containerd.run(capsys)
    assert (found["changed"], found["lacking"], found["running"]) == (False, [], False)


def test_what_a_cut_off_import_left_is_removed(
    containerd: Containerd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = tmp_path / "archives" / "old.tar"
    left.parent.mkdir()
    archive = tmp_path / "images.tar"
    for imports, there in (({image_store.unit("mesh_worker"): "running"}, True), ({}, False)):
        left.touch()
        archive.write_bytes(b"layers")
        containerd.states = imports
        containerd.run(capsys, archive=str(archive), sha256=hashlib.sha256(b"layers").hexdigest())
        assert left.exists() is there


def test_an_import_goes_in_line_behind_that_of_another_group(
    containerd: Containerd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    containerd.states = {image_store.unit("mesh_worker"): "running"}
    containerd.have = {"a:1": "sha256:aa"}
    containerd.damaged = ["a:1"]
    archive = tmp_path / "images.tar"
    archive.write_bytes(b"layers")
    found = containerd.run(capsys, archive=str(archive), sha256=hashlib.sha256(b"layers").hexdigest())
    assert (found["running"], found["lacking"], found["damaged"]) == (True, ["b:1"], [])
    assert found["present"] == {}, "an import names images before it has unpacked them"
    assert (containerd.imported, containerd.emptied) == ([b"layers"], 0)


def test_waiting_reports_a_failed_and_an_endless_import(
    containerd: Containerd, capsys: pytest.CaptureFixture[str]
) -> None:
    containerd.states = {image_store.unit("worker"): "exit-code"}
    assert "ended with exit-code" in containerd.run(capsys, wait=True)["msg"]
    containerd.states = {image_store.unit("worker"): "running"}
    assert "still at work after 0 s" in containerd.run(capsys, wait=True, timeout=0)["msg"]
    containerd.states = {}
    assert "still missing: a:1, b:1" in containerd.run(capsys, wait=True)["msg"]
    containerd.have = {"a:1": "sha256:aa", "b:1": "sha256:bb"}
    assert containerd.run(capsys, wait=True)["changed"] is False
    containerd.damaged = ["a:1"]
    found = containerd.run(capsys, wait=True)
    assert "damage, still after it was imported again" in found["msg"] and "the same command again" in found["msg"]


@pytest.mark.parametrize(("digest", "asked"), [("sha256:1", False), ("sha256:2", True)])
def test_what_this_run_has_read_is_not_read_again(
    tmp_path: Path, playbook: Callable[..., Run], digest: str, asked: bool
) -> None:
    (tmp_path / "images.tar").touch()
    images = [{"name": "a:1", "digest": digest}]
    image_set = {"kind": "image_set", "path": str(tmp_path / "images.tar"), "images": images}
    described = {"schema": 2, "artifacts": {"images-worker": image_set}}
    (tmp_path / "bundle.json").write_text(json.dumps(described), encoding="utf-8")
    arguments = {"bundle": str(tmp_path), "group": "worker", "known": {"a:1": "sha256:1"}}
    path = task_play(tmp_path, "twinstack.core.images", arguments, "found['lacking']")
    run = playbook("-i", "localhost,", path, "--check").succeeded()
    assert ("a:1" in run.output) == asked  # this machine's containerd holds no such image
