"""bump_run: whole bumps of the repository's own bundle, with stand-ins for Go and for what it builds."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import bump, bump_run, manifest, progress, versions
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.images import contents
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

from tests import inventories
from tests.conftest import ROOT, run, task_play
from tests.quality.project import files, text

BUILT = versions.of_all()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PARTS = manifest.parts(versions.MANIFEST)
#: Components whose version is a commit's.
COMMITS = {name for name, item in bump.components(PARTS).items() if item.pin != f"v{item.version}"}


class Go:
    """Answers as ``go`` does: resolves any version, and writes a line of go.sum for each requirement."""

    def __init__(self, folder: Path, leaves: Sequence[str] = (), unverified: str = "x") -> None:
        """folder: in place of the module cache. leaves: files beside go.mod. unverified: hashes without a database."""
        self.folder, self.leaves, self.unverified = folder, leaves, unverified
        self.commands: list[list[str]] = []

    def __call__(self, words: Sequence[str], folder: Path, more: Mapping[str, str]) -> str:
        """Run a command of these words."""
        self.commands.append(list(words))
        if words[:2] == ["mod", "download"]:
            path, _, revision = words[-1].partition("@")
            (self.folder / "info").write_text(json.dumps({"Time": "2027-01-02T03:04:05Z"}))
            (self.folder / "mod").write_text(f"module {path}\n")
            version = revision if revision.startswith("v") else f"v0.0.0-20270102030405-{revision[:12]}"
            paths = {"Info": str(self.folder / "info"), "GoMod": str(self.folder / "mod")}
            return json.dumps({"Version": version, **paths})
        assert words[:2] == ["list", "-deps"]
        value = self.unverified if more.get("GOSUMDB") == "off" else "x"
        required = re.findall(r"^(?:\t|require )(\S+) (v\S+)", text(folder / "go.mod"), re.MULTILINE)
        lines = {f"{path} {version} h1:{value}=" for path, version in required}
        lines.update(text(folder / "go.sum").splitlines())
        (folder / "go.sum").write_text("".join(f"{line}\n" for line in sorted(lines)))
        for name in self.leaves:
            (folder / name).touch()
        return ""


def build(path: Path, component: str) -> dict[str, str]:
    """The pins of an untouched wrapper module; of another one hashes that are its own."""
    wrapper = text(path.parent / "go" / component / "go.mod")
    (module,) = (part["go_modules"][component] for part in PARTS.values() if component in part["go_modules"])
    if wrapper == text(ROOT / "bundle" / "go" / component / "go.mod"):
        return dict(module["sha256"])
    return {name: hashlib.sha256(f"{name} {wrapper}".encode()).hexdigest() for name in module["sha256"]}


def silent(_line: str) -> None:
    """A progress line that nobody reads."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A collection that has the bundle's folder of this one."""
    shutil.copytree(ROOT / "bundle", tmp_path / "tree" / "bundle")
    return tmp_path / "tree"


def following(component: str) -> bump.Request:
    """The next patch release of a component."""
    major, minor, patch = BUILT[component].split(".")
    revision = COMMIT if component in COMMITS else ""
    return bump.Request(component, f"{major}.{minor}.{int(patch) + 1}", revision)


@pytest.mark.parametrize("component", BUILT)
def test_a_bump_changes_three_files_and_a_second_one_none(component: str, tree: Path, tmp_path: Path) -> None:
    before, request = contents(tree / "bundle"), following(component)
    outcome = bump_run.run(tree, request, Go(tmp_path), build, silent)
    after = contents(tree / "bundle")
    part = bump.components(PARTS)[component].file
    expected = [f"bundle/go/{component}/go.mod", f"bundle/go/{component}/go.sum", f"bundle/{part}"]
    assert list(outcome.files) == expected
    assert {f"bundle/{name}" for name in after if after[name] != before[name]} == set(expected)
    assert outcome.text() == (
        f"{component} {BUILT[component]} -> {request.version}: 3 files changed: {', '.join(expected)}"
    )
    path = tree / "bundle" / "manifest.yml"
    listed = manifest.load(path, versions.of_cluster(path), "source")
    assert versions.of_all(path) == {**BUILT, component: request.version}
    assert listed.go_modules[component].sha256 == build(path, component)

    go = Go(tmp_path)
    again = bump_run.run(tree, request, go, lambda _path, _name: dict(listed.go_modules[component].sha256), silent)
    assert again.files == ()
    assert "no file changed" in again.text()
    assert contents(tree / "bundle") == after


@pytest.mark.parametrize("component", BUILT)
def test_the_version_that_is_there_changes_nothing_and_runs_no_go(component: str, tree: Path) -> None:
    before, go = contents(tree / "bundle"), Go(tree)
    outcome = bump_run.run(tree, bump.Request(component, BUILT[component]), go, build, silent)
    assert (outcome.files, go.commands) == ((), [])
    assert contents(tree / "bundle") == before


def test_the_manifest_keeps_every_other_line(tree: Path, tmp_path: Path) -> None:
    bump_run.run(tree, following("kubernetes"), Go(tmp_path), build, silent)
    old, new = (text(root / "bundle" / "manifest.yml").splitlines() for root in (ROOT, tree))
    assert len(old) == len(new)
    keys = [line.split()[0] for line, other in zip(old, new, strict=True) if line != other]
    dates = [key for key in keys if key == "-X"]
    programs = [f"{name}:" for name in PARTS["manifest.yml"]["go_modules"]["kubernetes"]["sha256"]]
    assert keys == ["version:", "pin:", *dates, *programs]
    assert len(dates) == 2


def test_go_lists_all_programs_with_their_tags(tree: Path, tmp_path: Path) -> None:
    go = Go(tmp_path)
    bump_run.run(tree, following("istio"), go, build, silent)
    assert go.commands[0] == ["mod", "download", "-json", f"istio.io/istio@{COMMIT}"]
    asked = [command for command in go.commands if "list" in command]
    assert len(asked) == 4  # two sets of tags, once against the database and once for what is needed
    assert asked[:2] == asked[2:]
    tagged = {command[3]: command[4:] for command in asked}
    assert "istio.io/istio/cni/cmd/istio-cni" in tagged["agent,disable_pgv,grpcnotrace,retrynotrace"]
    assert "istio.io/istio/istioctl/cmd/istioctl" in tagged["vtprotobuf,disable_pgv"]


def test_go_sum_is_written_afresh(tree: Path, tmp_path: Path) -> None:
    bump_run.run(tree, following("containerd"), Go(tmp_path), build, silent)
    version = following("containerd").version
    assert text(tree / "bundle/go/containerd/go.sum") == f"github.com/containerd/containerd/v2 v{version} h1:x=\n"


def test_more_than_four_files_are_refused(tree: Path, tmp_path: Path) -> None:
    before = contents(tree / "bundle")
    with pytest.raises(bump.BumpError, match=r"bump: files: found 5 that would change: .*; expected at most 4.* Try: "):
        bump_run.run(tree, following("etcd"), Go(tmp_path, leaves=("a", "b")), build, silent)
    assert contents(tree / "bundle") == before
    assert len(bump_run.run(tree, following("etcd"), Go(tmp_path, leaves=("a",)), build, silent).files) == 4


def test_a_hash_that_nobody_verified_is_refused(tree: Path, tmp_path: Path) -> None:
    before = contents(tree / "bundle")
    with pytest.raises(bump.BumpError, match=r"go\.sum: found .* h1:other=; expected only hashes that were verified"):
        bump_run.run(tree, following("etcd"), Go(tmp_path, unverified="other"), build, silent)
    assert contents(tree / "bundle") == before


def test_what_comes_out_otherwise_than_pinned_is_refused(tree: Path, tmp_path: Path) -> None:
    before = contents(tree / "bundle")
    request = bump.Request("coredns", BUILT["coredns"])
    with pytest.raises(bump.BumpError, match=rf"program coredns\.sha256: found {'0' * 64}; expected [0-9a-f]{{64}}"):
        bump_run.run(tree, request, Go(tmp_path), lambda _path, _name: {"coredns": "0" * 64}, silent)
    assert contents(tree / "bundle") == before


def test_a_build_that_fails_changes_nothing(tree: Path, tmp_path: Path) -> None:
    before = contents(tree / "bundle")

    def broken(_path: Path, _component: str) -> dict[str, str]:
        raise progress.CommandError("go build: exit status 1")

    with pytest.raises(progress.CommandError):
        bump_run.run(tree, following("coredns"), Go(tmp_path), broken, silent)
    assert contents(tree / "bundle") == before


def test_the_engine_builds_what_has_no_pin_and_then_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real engine and store, and a compiler that gives the same bytes every time."""
    folder = tmp_path / "bundle"
    (folder / "go" / "tool").mkdir(parents=True)
    (folder / "go" / "tool" / "go.mod").write_text("module x\n\nrequire example.org/tool v1.2.3\n")
    (folder / "go" / "tool" / "go.sum").touch()
    module = {"version": "1.2.3", "pin": "example.org/tool v1.2.3", "ldflags": "", "sha256": {"tool": None}}
    source = {"module": "tool", "program": "example.org/tool"}
    artifact = {"name": "tool", "version": "{tool}", "kind": "binary", "licence": "MIT", "groups": [], "source": source}
    (folder / "manifest.yml").write_text(
        yaml.safe_dump({"schema": 1, "suite": "trixie", "go_modules": {"tool": module}, "artifacts": [artifact]})
    )
    commands = []

    def compiler(argv: list[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        commands.append(argv[1])
        if argv[1] == "build":
            Path(argv[argv.index("-o") + 1]).write_bytes(b"program")
        return "go1.26.8"

    monkeypatch.setattr(progress, "run", compiler)
    expected = tmp_path / "expected"
    expected.write_bytes(b"program")
    real = bump_run.builder(tmp_path / "cache", "", silent)
    request = bump.Request("tool", "1.2.3")
    assert bump_run.run(tmp_path, request, Go(tmp_path), real, silent).files == ("bundle/manifest.yml",)
    assert f"tool: {sha256_of(expected)}" in text(folder / "manifest.yml")
    assert bump_run.run(tmp_path, request, Go(tmp_path), real, silent).files == ()
    assert commands.count("build") == 1


def test_go_may_write_go_mod_and_the_toolchain_is_that_of_every_build(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    monkeypatch.setattr(progress, "run", lambda _argv, _cwd, env: given.update(env) or "")
    bump_run.go_command(["version"], Path(), {"GOSUMDB": "off"})
    assert "-mod=mod" in given["GOFLAGS"] and "readonly" not in given["GOFLAGS"]
    assert (given["GOSUMDB"], given["CGO_ENABLED"]) == ("off", "0")


@pytest.mark.parametrize("component", BUILT)
def test_a_version_is_in_the_manifest_alone(component: str) -> None:
    """In no other file that an install reads."""
    version = re.compile(rf"(?<![\d.]){re.escape(BUILT[component])}(?![\d.])")
    found = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix in (".yml", ".j2") and "tests" not in path.parts and version.search(text(path))
    ]
    assert found == [f"bundle/{bump.components(PARTS)[component].file}"]


def test_the_playbook_takes_its_request_from_the_environment(tmp_path: Path) -> None:
    """A wrong one, which is refused before anything starts; twinstack.core.bump says why."""
    wrong = {"COMPONENT": "kubernets", "VERSION": "1.2.3"}
    inventory = inventories.write(tmp_path, inventories.good())
    done = run("ansible-playbook", "-i", inventory, "playbooks/bump.yml", environment=wrong)
    assert done.code == 2
    assert "bump: component: found kubernets; expected one of kubernetes, containerd" in done.output


def test_templates_get_the_version_of_a_component(tmp_path: Path) -> None:
    """Or all that they may require."""
    shown = "lookup('twinstack.core.bundle_version', 'etcd', 'istio')"
    play = task_play(tmp_path, "ansible.builtin.debug", {"msg": ""}, shown)
    assert f"{BUILT['etcd']},{BUILT['istio']}" in run("ansible-playbook", "-i", "localhost,", play).succeeded().output
    play = task_play(tmp_path, "ansible.builtin.debug", {"msg": ""}, "lookup('twinstack.core.bundle_version', 'etcdd')")
    said = run("ansible-playbook", "-i", "localhost,", play)
    assert said.code == 2
    assert f"bundle_version: component: found etcdd; expected {', '.join(BUILT)}" in said.output
