"""From the manifest to steps: which recipe makes what, and what bundle.json says of it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import catalogue, debian, go_build
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.manifest import Artifact, GoModule, Manifest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Entry, Store

from tests.unit.plugin_utils.bundle.samples import BUILT, CLUSTER, MESH, load


def test_every_step_is_made_by_a_recipe_and_all_needs_are_there(tmp_path: Path) -> None:
    listed = load()
    wanted = listed.of_groups([*CLUSTER, *MESH])
    made = catalogue.Catalogue(listed, wanted, debian.PrivateApt(tmp_path, "trixie")).steps
    for step in made.values():
        assert set(step.needs) <= set(made), step.name
    assert {catalogue.step_of(item) for item in wanted} <= set(made)
    stamp = made["program kubelet"].inputs["ldflags"]
    assert f"gitVersion=v{BUILT['kubernetes']}" in stamp
    assert f"gitMinor={BUILT['kubernetes'].split('.')[1]} " in stamp


def test_build_tags_are_inputs_of_the_programs_that_have_some(tmp_path: Path) -> None:
    listed = load()
    steps = catalogue.Catalogue(
        listed, listed.of_groups([*CLUSTER, *MESH]), debian.PrivateApt(tmp_path, "trixie")
    ).steps
    assert steps["program istioctl"].inputs["tags"] == ["vtprotobuf", "disable_pgv"]
    assert steps["program server"].inputs["tags"] == ["vtprotobuf", "disable_pgv"]
    agents = {"agent", "disable_pgv", "grpcnotrace", "retrynotrace"}
    assert all(set(steps[f"program {name}"].inputs["tags"]) == agents for name in ("pilot-agent", "istio-cni"))
    # A key that is not there leaves the hash of all inputs, and so what was built before, as it was.
    assert "tags" not in steps["program kubelet"].inputs
    assert "without" not in steps["debian-base"].inputs


def test_the_proxy_holds_a_program_from_a_wheel_on_the_small_layer(tmp_path: Path) -> None:
    listed = load()
    steps = catalogue.Catalogue(listed, listed.of_groups(MESH), debian.PrivateApt(tmp_path, "trixie")).steps
    assert steps["image proxyv2"].needs == ("program pilot-agent", "program envoy", "mesh-base")
    assert steps["image proxyv2"].inputs["programs"] == ["envoy", "pilot-agent"]
    assert steps["program envoy"].inputs["wheel"]["version"] == listed.artifacts["envoy"].version
    assert "debian-base" not in steps


def artifact(name: str, kind: str, provider: dict[str, Any], groups: tuple[str, ...] = ("worker",)) -> Artifact:
    """An artifact of version 1."""
    return Artifact(name, "1", kind, "MIT", groups, provider, f"example.org/{name}:1" if kind == "image" else "")


def small(folder: Path, *artifacts: Artifact) -> Manifest:
    """A manifest of these artifacts, without Go modules."""
    return Manifest(folder, "source", "trixie", {item.name: item for item in artifacts})


@pytest.fixture
def apt(tmp_path: Path) -> debian.PrivateApt:
    """Never asked: steps are only planned."""
    return debian.PrivateApt(tmp_path / "apt", "trixie")


FILE = {"url": "https://example.org/a", "sha256": "0" * 64}


def test_a_step_is_named_after_its_artifact_and_its_kind() -> None:
    kinds = ("binary", "image", "manifest")
    assert [catalogue.step_of(artifact("a", kind, FILE)) for kind in kinds] == ["program a", "image a", "a"]
    assert [catalogue.steps_of(artifact("a", kind, FILE)) for kind in kinds] == [
        ["program a", "packed a"],
        ["image a"],
        ["a"],
    ]


@pytest.mark.parametrize(
    ("kind", "provider", "steps"),
    [
        ("binary", FILE, ["program a", "packed a"]),
        ("manifest", FILE, ["a"]),
        ("image", {"image": "example.org/a:1", "digest": "sha256:1"}, ["image a"]),
        ("package_set", {"packages": ["ipset"]}, ["a"]),
        ("layer", {"packages": ["ipset"], "without": ["perl"]}, ["a"]),
        ("file", {"newest_package": "linux-source"}, ["a"]),
        ("file", {"base_image": "overlay"}, ["a"]),
        (
            "binary",
            {"pypi": "tool", "version": "1", "sha256": "0" * 64, "member": "bin/tool"},
            ["program a", "packed a"],
        ),
    ],
)
def test_each_provider_has_its_recipe(
    tmp_path: Path, apt: debian.PrivateApt, kind: str, provider: dict[str, Any], steps: list[str]
) -> None:
    wanted = artifact("a", kind, provider)
    assert list(catalogue.Catalogue(small(tmp_path, wanted), [wanted], apt).steps) == steps


def test_what_a_step_needs_comes_before_it(tmp_path: Path, apt: debian.PrivateApt) -> None:
    """A kernel needs its source, a set its images, an image its layer, its packages and its programs."""
    kernel = artifact("kernel", "file", {"kernel_of": "source", "folder": "kernel"}, ())
    source = artifact("source", "file", {"newest_package": "linux-source"}, ())
    made = catalogue.Catalogue(small(tmp_path, kernel, source), [kernel], apt).steps
    assert (list(made), made["kernel"].needs) == (["source", "kernel"], ("source",))
    base = artifact("base", "layer", {"packages": ["libc6"]}, ())
    tool = artifact("tool", "binary", FILE, ())
    image = artifact("a", "image", {"base": "base", "binaries": ["tool"], "deb": "ipset"})
    images = artifact("set", "image_set", {"images_of": "worker"})
    listed = small(tmp_path, base, tool, image, images)
    made = catalogue.Catalogue(listed, [images], apt).steps
    assert made["set"].needs == ("image a",)
    assert made["image a"].needs == ("program tool", "base", "package ipset")
    assert list(made)[-2:] == ["image a", "set"]
    assert set(made) == {"program tool", "packed tool", "base", "package ipset", "image a", "set"}


def test_two_steps_under_one_name_are_refused(tmp_path: Path, apt: debian.PrivateApt) -> None:
    """Else one artifact would silently be the other."""
    first, second = artifact("a", "manifest", FILE), artifact("a", "manifest", {**FILE, "sha256": "1" * 64})
    assert list(catalogue.Catalogue(small(tmp_path, first), [first, first], apt).steps) == ["a"]
    with pytest.raises(ValueError, match="^a: two artifacts need it with different inputs$"):
        catalogue.Catalogue(small(tmp_path, first), [first, second], apt)


def test_go_is_asked_for_its_version_once_and_only_when_it_builds(
    tmp_path: Path, apt: debian.PrivateApt, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def toolchain() -> str:
        asked.append("go version")
        return "go1.27"

    monkeypatch.setattr(go_build, "toolchain", toolchain)
    plain = artifact("plain", "manifest", FILE)
    catalogue.Catalogue(small(tmp_path, plain), [plain], apt)
    assert asked == []
    for name in ("one", "two"):
        (tmp_path / "go" / name).mkdir(parents=True)
        for file in ("go.mod", "go.sum"):
            (tmp_path / "go" / name / file).touch()
    wanted = [
        artifact(name, "binary", {"module": name, "program": f"example.org/{name}", "tags": ["small"]})
        for name in ("one", "two")
    ]
    modules = {name: GoModule(name, "1", "-X v=1", {name: "a" * 64}) for name in ("one", "two")}
    made = catalogue.Catalogue(Manifest(tmp_path, "source", "trixie", {}, modules), wanted, apt).steps
    assert asked == ["go version"]
    assert made["program one"].inputs["go"] == "go1.27"
    assert made["program one"].inputs["tags"] == ["small"]
    assert made["program two"].sha256 == "a" * 64


def test_a_packed_program_is_the_program_and_always_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"program" * 1000)
    step = catalogue.packed(artifact("tool", "binary", FILE))
    sizes = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        made = step.run(BuildContext(folder, folder, {"program tool": tmp_path / "tool"}, {}, lambda _line: None))
        assert gzip.decompress(made.path.read_bytes()) == b"program" * 1000
        assert made.path.read_bytes()[4:8] == bytes(4), "the time of packing is in the file"
        sizes.append(made.path.stat().st_size)
    assert sizes[0] == sizes[1] < 7000
    assert step.needs == ("program tool",)


def test_the_index_says_where_every_artifact_lies_and_what_is_in_it(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def entry(name: str, sha256: str, **extra: Any) -> Entry:
        return Entry(name, sha256, 7, 0, 0, 1.0, extra)

    entries = {
        "program tool": entry("program tool", "a" * 64),
        "packed tool": entry("packed tool", "b" * 64),
        "source": entry("source", "c" * 64, version="6.12-1", package="linux-source-6.12"),
        "set": entry("set", "d" * 64, images={"example.org/a:1": "sha256:1"}),
    }
    wanted = [
        artifact("tool", "binary", FILE),
        artifact("source", "file", {"newest_package": "linux-source"}, ("lab",)),
        artifact("set", "image_set", {"images_of": "worker"}),
    ]
    made = catalogue.index("upstream", wanted, entries, store)
    assert (made["schema"], made["provider"], list(made["artifacts"])) == (2, "upstream", ["tool", "source", "set"])
    assert made["artifacts"]["tool"] == {
        "name": "tool",
        "version": "1",
        "kind": "binary",
        "groups": ["worker"],
        "licence": "MIT",
        "path": str(store.path("a" * 64)),
        "sha256": "a" * 64,
        "size": 7,
        "file": "tool",
        "packed": str(store.path("b" * 64)),
    }
    source, images = made["artifacts"]["source"], made["artifacts"]["set"]
    assert (source["version"], "package" in source, "packed" in source) == ("6.12-1", False, False)
    assert images["images"] == {"example.org/a:1": "sha256:1"}
