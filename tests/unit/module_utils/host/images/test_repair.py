"""Repair of the image store, with the host's commands written down instead of run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images import repair
from ansible_collections.twinstack.core.plugins.module_utils.host.images.content import Damage
from ansible_collections.twinstack.core.plugins.module_utils.host.images.repair import Container, Plan, Snapshot
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts, processes
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command

#: Images a and b share their lowest layer; user's own image stands on it too.
CHAINS = {"a:1": ["base", "a"], "b:1": ["base", "b"]}
TREE = [
    Snapshot("base", "", "Committed"),
    Snapshot("a", "base", "Committed"),
    Snapshot("b", "base", "Committed"),
    Snapshot("user", "base", "Committed"),
    Snapshot("c1", "a", "Active"),
    Snapshot("c2", "b", "Active"),
]
CONTAINERS = {"c1": Container("c1", "ns/pod one", running=True), "c2": Container("c2", "ns/other two", running=True)}
FILES = Damage(files=True)


def plan(damage: dict[str, Damage], *more: Snapshot, **containers: Container) -> Plan:
    """The plan for this damage in the tree and what is added to it."""
    return repair.plan(damage, CHAINS, [*TREE, *more], (CONTAINERS | containers).get)


def test_one_damaged_image_takes_its_own_layers_and_containers_with_it() -> None:
    """H5: and nothing of any other image."""
    found = plan({"a:1": FILES})
    assert (found.images, found.snapshots, found.reasons) == (["a:1"], ["a"], {})
    assert (found.containers, found.restarted()) == ([CONTAINERS["c1"]], ["ns/pod one"])


def test_a_damaged_blob_alone_touches_no_container() -> None:
    found = plan({"a:1": Damage(blobs=("sha256:1",))})
    assert found == Plan(images=["a:1"], blobs=["sha256:1"])


def test_a_layer_goes_after_those_upon_it_and_stays_where_it_is_needed() -> None:
    found = plan({"a:1": FILES, "b:1": FILES})
    assert found.snapshots == ["a", "b"], "the user's image stands on the lowest layer"
    tree = [snapshot for snapshot in TREE if snapshot.key != "user"]
    alone = repair.plan({"a:1": FILES, "b:1": FILES}, CHAINS, tree, CONTAINERS.get)
    assert alone.snapshots == ["a", "b", "base"]


def test_containers_that_do_not_run_go_silently() -> None:
    dead = Container("old", "ns/pod one")
    sandbox = Container("box", "ns/pod", sandbox=True)
    found = plan({"a:1": FILES}, Snapshot("old", "a", "Active"), Snapshot("box", "a", "Active"), old=dead, box=sandbox)
    assert [container.key for container in found.containers] == ["box", "c1", "old"]
    assert (found.restarted(), found.reasons) == (["ns/pod one"], {})


def test_what_a_look_left_goes_too() -> None:
    view = "/tmp/" + image_content.MOUNTED + "x"
    assert plan({"a:1": FILES}, Snapshot(view, "a", "View")).views == [view]


@pytest.mark.parametrize(
    ("more", "containers", "reason"),
    [
        (Snapshot("mine", "a", "Committed"), {}, "damage, and upon it stands snapshot mine"),
        (Snapshot("lost", "a", "Active"), {}, "damage, and upon it stands snapshot lost"),
        (
            Snapshot("box", "a", "Active"),
            {"box": Container("box", "ns/pod", running=True, sandbox=True)},
            "damage, and upon it stands the sandbox of pod ns/pod, which runs",
        ),
    ],
    ids=["a user's image", "a snapshot of nobody", "a sandbox"],
)
def test_what_cannot_be_replaced_alone_says_why(more: Snapshot, containers: dict[str, Container], reason: str) -> None:
    found = plan({"a:1": FILES}, more, **containers)
    assert found.reasons == {"a:1": reason}
    assert "a" not in found.snapshots


def test_layers_of_an_image_that_is_whole_stay() -> None:
    chains = {**CHAINS, "c:1": ["base", "a", "c"]}
    found = repair.plan({"a:1": FILES}, chains, TREE, CONTAINERS.get)
    assert (found.snapshots, found.reasons) == ([], {"a:1": "damage, and its unpacked layers are those of c:1 too"})


def test_what_ctr_shows_is_read() -> None:
    shown = (
        "KEY              PARENT KIND      \nbase                    Committed \nextract-7-x base base   Active    \n"
    )
    assert repair.parse_snapshots(shown) == [
        Snapshot("base", "", "Committed"),
        Snapshot("extract-7-x base", "base", "Active"),
    ]
    assert repair.parse_snapshots("") == []
    tasks = "TASK    PID    STATUS    \nc1      12     RUNNING   \nc2      13     STOPPED   \n"
    assert repair.parse_running(tasks) == ["c1"]
    labels = {
        "io.kubernetes.pod.namespace": "ns",
        "io.kubernetes.pod.name": "pod",
        "io.kubernetes.container.name": "one",
    }
    assert repair.parse_container(json.dumps({"ID": "c1", "Labels": labels}), ["c1"]) == CONTAINERS["c1"]
    labels["io.cri-containerd.kind"] = "sandbox"
    assert repair.parse_container(json.dumps({"ID": "c3", "Labels": labels}), []) == Container(
        "c3", "ns/pod", False, True
    )
    assert repair.parse_container(json.dumps({"ID": "c4", "Labels": None}), []).name == "c4"


def test_a_refusal_names_the_users_images_and_the_variable() -> None:
    (reason,) = repair.refused({}, {"a:1": "damage, and upon it stands snapshot mine"}, ["user:1"])
    assert "snapshot mine" in reason.line()
    assert "loses user:1" in reason.hint and "containerd_recreate_store=true" in reason.hint
    (mount,) = repair.refused({"a:1": "ctr: EINVAL"}, {"a:1": "ctr: EINVAL"}, [])
    assert mount.line().startswith("image a:1: mount: found ctr: EINVAL; expected ctr images mount succeeds. Try: mend")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands of the host that were run, which succeed."""
    commands: list[str] = []

    def run(argv: list[str]) -> str:
        commands.append(" ".join(argv))
        return ""

    monkeypatch.setattr(host_command, "run", run)
    return commands


def test_removal_goes_from_the_top_down_with_kubelet_stopped(tmp_path: Path, ran: list[str]) -> None:
    doomed = plan(
        {"a:1": Damage(blobs=("sha256:1",), files=True)}, Snapshot("old", "a", "Active"), old=Container("old", "x")
    )
    repair.remove(doomed, str(tmp_path))
    ctr = f"{image_content.CTR} --namespace k8s.io"
    assert ran == [
        "systemctl stop kubelet.service",
        f"{ctr} tasks rm --force c1",
        f"{ctr} containers rm c1",
        f"{ctr} containers rm old",
        f"{ctr} snapshots rm a",
        f"{ctr} content rm sha256:1",
        f"{ctr} images rm --sync a:1",
    ]


@pytest.mark.usefixtures("ran")
def test_a_blob_that_stays_is_told(tmp_path: Path) -> None:
    """An import would take it over as it is."""
    (tmp_path / "1").touch()
    with pytest.raises(host_command.HostStateError, match="sha256:1: found still in .*ctr namespaces ls"):
        repair.remove(plan({"a:1": Damage(blobs=("sha256:1",))}), str(tmp_path))


def test_images_of_others_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_command, "run", lambda argv: "a:1\nuser:1\nsha256:abc\n")
    assert repair.foreign_images(["a:1"]) == ["user:1"]


def test_the_store_is_emptied_between_stop_and_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    store = tmp_path / "containerd"
    (store / "blobs").mkdir(parents=True)
    (store / "file").touch()
    (store / "lost+found").mkdir()
    record = tmp_path / "unpacked.json"
    record.write_text("{}", encoding="utf-8")

    def run(argv: list[str]) -> str:
        done.append(f"{argv[1]} {argv[2].split('.')[0]}, {len(list(store.iterdir()))} names")
        return ""

    monkeypatch.setattr(host_command, "run", run)
    monkeypatch.setattr(processes, "find_cgroups", lambda _record: [])
    monkeypatch.setattr(processes, "find_processes", lambda _record: [])
    monkeypatch.setattr(mounts, "find_mounts", lambda _record: [f"{store}/a", "/var/lib/kubelet/b"])
    monkeypatch.setattr(mounts, "unmount", lambda _record, names: done.append(f"unmount {names}"))
    monkeypatch.setattr(image_content, "RECORD", str(record))
    monkeypatch.setattr(image_content, "SEEN", str(tmp_path / "none.json"))
    repair.empty_store(str(store))
    assert done == [
        "stop kubelet, 3 names",
        "stop containerd, 3 names",
        f"unmount ['{store}/a']",
        "start containerd, 1 names",
    ]
    assert [item.name for item in store.iterdir()] == ["lost+found"]
    assert not record.exists()
