"""Images in containerd's namespace: what is there, and imports in units of their own."""

from __future__ import annotations

import importlib.machinery
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store

WORKER = "twinstack-image-import-worker.service"
SOCKET = "/run/containerd/containerd.sock"


class Commands:
    """In place of subprocess.run: what was called, and answers by the command's first word."""

    def __init__(self) -> None:
        self.called: list[list[str]] = []
        self.answers: dict[str, tuple[int, str, str]] = {}

    def __call__(self, argv: Sequence[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        self.called.append(list(argv))
        code, said, complained = self.answers.get(Path(argv[0]).name, (0, "", ""))
        return subprocess.CompletedProcess(list(argv), code, said, complained)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A host that systemd runs and containerd serves, whose commands are written down instead of run."""
    made = Commands()
    monkeypatch.setattr(subprocess, "run", made)
    monkeypatch.setattr(image_store, "SYSTEMD", str(tmp_path))
    monkeypatch.setattr(image_store, "LOCK", str(tmp_path / "run" / "images.lock"))
    exists, there = os.path.exists, (image_store.CTR, SOCKET)
    monkeypatch.setattr(os.path, "exists", lambda path: path in there or exists(path))
    # On a host the module lies in Ansible's archive, whose loader gives text; the one of the tests gives bytes.
    loader = importlib.machinery.SourceFileLoader(image_content.__name__, image_content.__file__)
    monkeypatch.setattr(image_content, "__loader__", loader)
    return made


def shown(state: str, result: str = "success") -> tuple[int, str, str]:
    """What systemctl says of the import of the workers' images."""
    return 0, f"Id={WORKER}\nActiveState={state}\nResult={result}\n", ""


def test_an_import_is_running_or_has_ended_somehow() -> None:
    text = (
        "Id=twinstack-image-import-worker.service\nActiveState=activating\nResult=success\n\n"
        "Id=twinstack-image-import-mesh-worker.service\nActiveState=inactive\nResult=success\n\n"
        "Id=twinstack-image-import-observability.service\nActiveState=failed\nResult=exit-code\n"
    )
    assert image_store.parse_states(text) == {
        image_store.unit("worker"): "running",
        image_store.unit("mesh_worker"): "success",
        image_store.unit("observability"): "exit-code",
    }
    assert image_store.parse_states("") == {}


def test_imports_go_one_after_the_other_and_each_is_recorded(tmp_path: Path) -> None:
    """Both scripts run at the same time, with programs that write down when they begin and end."""
    said = tmp_path / "said"
    for name in ("ctr", image_store.COUNTER):
        tool = f"""#!{sys.executable}
import sys, time
with open({str(said)!r}, "a", buffering=1) as stream:
    print({name!r}, "begins", *sys.argv[1:], file=stream)
    time.sleep(0.2)
    print({name!r}, "ends", file=stream)
"""
        (tmp_path / name).write_text(tool, encoding="utf-8")
        (tmp_path / name).chmod(0o700)
    running = [
        subprocess.Popen(
            image_store.script(
                str(tmp_path / f"{group}.tar"), group, {"sha256:aa": [1, 2]}, str(tmp_path / "ctr"), str(tmp_path / "l")
            ),
            shell=True,
        )
        for group in ("mesh_worker", "observability")
    ]
    assert [process.wait() for process in running] == [0, 0]
    lines = said.read_text(encoding="utf-8").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ctr", "begins"],
        ["ctr", "ends"],
        [image_store.COUNTER, "begins"],
        [image_store.COUNTER, "ends"],
    ] * 2
    assert lines[2] == f"{image_store.COUNTER} begins sha256:aa 1 2"
    assert sorted(line.split("/")[-1] for line in lines if line.startswith("ctr begins")) == [
        "mesh_worker.tar",
        "observability.tar",
    ]


def test_images_are_compared_by_digest() -> None:
    have = {"registry.k8s.io/a:1": "sha256:aa", "registry.k8s.io/b:1": "sha256:bb"}
    assert image_store.filters(have) == [
        'name=="registry.k8s.io/a:1",target.digest=="sha256:aa"',
        'name=="registry.k8s.io/b:1",target.digest=="sha256:bb"',
    ]
    wanted = {
        "registry.k8s.io/a:1": "sha256:aa",
        "registry.k8s.io/b:1": "sha256:cc",
        "registry.k8s.io/c:1": "sha256:dd",
    }
    assert image_store.lacking(wanted, have) == ["registry.k8s.io/b:1", "registry.k8s.io/c:1"]


def test_only_names_that_containerd_lists_are_present(commands: Commands) -> None:
    """It is asked for these digests alone, and may know the same content by other names too."""
    commands.answers["ctr"] = 0, "registry.example/a:1\nregistry.example/a@sha256:aa\n", ""
    images = {"registry.example/b:1": "sha256:bb", "registry.example/a:1": "sha256:aa"}
    assert image_store.present(images) == {"registry.example/a:1": "sha256:aa"}
    (argv,) = commands.called
    assert argv[1:6] == ["--namespace", "k8s.io", "images", "ls", "--quiet"]
    assert argv[6:] == image_store.filters(images)


def test_a_containerd_that_fails_is_no_empty_store(commands: Commands) -> None:
    commands.answers["ctr"] = 1, "", "connection refused\n"
    with pytest.raises(image_store.ImageStoreError, match="^ctr images ls: exit status 1: connection refused$"):
        image_store.present({"registry.example/a:1": "sha256:aa"})


def test_nobody_is_asked_where_there_is_nothing_to_find(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh host has no containerd yet."""
    assert image_store.present({}) == {}
    monkeypatch.setattr(os.path, "exists", lambda path: path != SOCKET)
    assert image_store.present({"registry.example/a:1": "sha256:aa"}) == {}
    assert commands.called == []


def test_running_imports_are_listed_by_name(commands: Commands) -> None:
    other = "Id=twinstack-image-import-mesh-worker.service\nActiveState=inactive\nResult=success\n"
    commands.answers["systemctl"] = 0, f"{shown('activating')[1]}\n{other}", ""
    assert image_store.running() == [WORKER]
    assert commands.called == [
        ["systemctl", "show", "--property=Id,ActiveState,Result", "twinstack-image-import-*.service"]
    ]


def test_a_systemd_that_fails_is_not_taken_for_one_without_units(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.answers["systemctl"] = 1, "", "Failed to connect to bus\n"
    with pytest.raises(image_store.ImageStoreError, match=r"^systemctl show .*: exit status 1: Failed to connect"):
        image_store.running()
    monkeypatch.setattr(image_store, "SYSTEMD", str(tmp_path / "none"))
    assert image_store.running() == [], "without systemd there are no units"


@pytest.mark.parametrize(("group", "own"), [("worker", True), ("control_plane", True), ("mesh_worker", False)])
def test_only_images_that_a_host_cannot_be_without_hold_the_kubelet(group: str, own: bool) -> None:
    assert ("systemctl start kubelet.service" in image_store.script("/a.tar", group, {})) is own


def test_an_import_starts_in_a_unit_that_removes_its_archive(commands: Commands, tmp_path: Path) -> None:
    """The counter lies beside the archive, whole, and a unit that failed before is no obstacle."""
    archive = str(tmp_path / "images" / "worker.tar")
    (tmp_path / "images").mkdir()
    image_store.start_import(archive, "worker", {"sha256:aa": [1, 2]})
    reset, started = commands.called
    assert reset == ["systemctl", "reset-failed", WORKER]
    assert started[:5] == ["systemd-run", "--unit", WORKER, "--property=Type=oneshot", "--no-block"]
    assert started[5] == f"--property=ExecStopPost=/bin/rm -f {archive}"
    assert started[6:8] == ["/bin/sh", "-c"]
    assert started[8:] == [image_store.script(archive, "worker", {"sha256:aa": [1, 2]})]
    source = Path(image_content.__file__).read_text(encoding="utf-8")
    assert (tmp_path / "images" / image_store.COUNTER).read_text(encoding="utf-8") == source
    assert [path.name for path in (tmp_path / "images").iterdir()] == [image_store.COUNTER]
    assert Path(image_store.LOCK).parent.is_dir()


def test_an_import_that_cannot_start_says_why(commands: Commands, tmp_path: Path) -> None:
    commands.answers["systemd-run"] = 1, "", "Unit already exists\n"
    with pytest.raises(image_store.ImageStoreError, match="^systemd-run: exit status 1: Unit already exists$"):
        image_store.start_import(str(tmp_path / "worker.tar"), "worker", {})


WANTED = {"registry.example/a:1": "sha256:aa"}


def test_a_finished_import_leaves_what_is_still_lacking(commands: Commands) -> None:
    commands.answers["systemctl"] = shown("inactive")
    assert image_store.wait_import("worker", WANTED, 0) == ["registry.example/a:1"]
    commands.answers["ctr"] = 0, "registry.example/a:1\n", ""
    assert image_store.wait_import("worker", WANTED, 0) == []


def test_a_failed_import_is_an_error_only_while_images_are_lacking(commands: Commands) -> None:
    commands.answers["systemctl"] = shown("failed", "exit-code")
    with pytest.raises(image_store.ImageStoreError) as caught:
        image_store.wait_import("worker", WANTED, 0)
    assert str(caught.value) == f"{WORKER}: ended with exit-code. Try: journalctl --unit {WORKER}"
    commands.answers["ctr"] = 0, "registry.example/a:1\n", ""
    assert image_store.wait_import("worker", WANTED, 0) == []


def test_an_import_that_does_not_end_is_given_up(commands: Commands) -> None:
    commands.answers["systemctl"] = shown("activating")
    with pytest.raises(image_store.ImageStoreError) as caught:
        image_store.wait_import("worker", WANTED, 0.01)
    assert str(caught.value) == f"{WORKER}: still at work after 0 s. Try: journalctl --unit {WORKER}"


FILES = {"sha256:aa": [1, 2]}


def test_an_import_that_replaces_has_its_images_looked_at_and_starts_kubelet() -> None:
    plain = image_store.script("/x/a.tar", "observability", FILES)
    assert "kubelet" not in plain and image_content.LOOK_AGAIN not in plain
    repair = image_store.script("/x/a.tar", "observability", FILES, look_again=["sha256:aa"])
    assert f"sha256:aa 1 2 {image_content.LOOK_AGAIN} sha256:aa" in repair
    assert "systemctl start kubelet.service" in repair
    assert "systemctl start kubelet.service" in image_store.script("/x/a.tar", "worker", FILES)


def test_imports_of_others_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [["a.service"], ["a.service"], []]
    monkeypatch.setattr(image_store, "running", lambda: states.pop(0))
    image_store.wait_for_imports(10)
    assert states == []
    monkeypatch.setattr(image_store, "running", lambda: ["a.service"])
    with pytest.raises(image_store.ImageStoreError, match="a.service: still at work after 0 s"):
        image_store.wait_for_imports(0)
