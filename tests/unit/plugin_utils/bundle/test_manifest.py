"""bundle/manifest.yml: the real one holds together, and all errors of a bad one are reported at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import catalogue, debian, manifest, steps

from tests.unit.plugin_utils.bundle.samples import BUILT, BUNDLE, CLUSTER, MESH, load

NAMES_BY_KIND = {
    "binary": {
        *("kubelet", "kubeadm", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "etcdctl", "calicoctl"),
        *("istioctl", "envoy"),
    },
    "package_set": {"host-packages"},
    "image_set": {
        *("images-control-plane", "images-worker"),
        *("images-mesh-control-plane", "images-mesh-worker", "images-observability"),
    },
    "manifest": {"calico-manifest"},
}
WHEEL = {"pypi": "tool", "version": "1", "sha256": "0" * 64, "member": "bin/tool"}


@pytest.mark.parametrize("provider", ["source", "upstream"])
def test_the_manifest_holds_what_other_roles_rely_on(provider: str) -> None:
    listed = load(provider)
    for kind, names in NAMES_BY_KIND.items():
        assert {item.name for item in listed.artifacts.values() if item.kind == kind} == names
    assert {item.name for item in listed.of_groups(["lab"])} == {"lab-kernel", "lab-base-image"}
    assert all(item.licence for item in listed.artifacts.values())


def test_a_control_plane_gets_all_that_a_worker_gets() -> None:
    listed = load()
    worker = {item.image for item in listed.images_of("worker")}
    control_plane = {item.image for item in listed.images_of("control_plane")}
    assert worker < control_plane
    assert {name.rsplit("/", 1)[1].split(":")[0] for name in control_plane - worker} == {
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "etcd",
    }
    assert f"registry.k8s.io/kube-proxy:v{BUILT['kubernetes']}" in worker
    assert f"registry.k8s.io/etcd:{BUILT['etcd']}-0" in control_plane


def test_every_image_has_a_containerfile_and_every_containerfile_an_image() -> None:
    images = {item.name for item in load().artifacts.values() if item.kind == "image"}
    assert {path.parent.name for path in BUNDLE.glob("images/*/Containerfile")} == images


def test_upstream_image_names_are_those_that_hosts_look_for() -> None:
    for item in load("upstream").artifacts.values():
        if item.kind == "image" and item.name != "demo":  # which is made here under every provider
            assert item.provider["image"] == item.image


def test_each_host_of_a_mesh_gets_its_images_and_a_cluster_alone_gets_none() -> None:
    listed, istio = load(), BUILT["istio"]
    observability = {item.image.rsplit(":", 1)[0] for item in listed.images_of("observability")}
    assert observability == {component.image for component in COMPONENTS.values()}
    assert {group: {item.image for item in listed.images_of(group)} for group in MESH if group != "observability"} == {
        "mesh_control_plane": {f"docker.io/istio/install-cni:{istio}"},
        "mesh_worker": {
            f"docker.io/istio/install-cni:{istio}",
            f"docker.io/istio/pilot:{istio}",
            f"docker.io/istio/proxyv2:{istio}",
            f"docker.io/istio/app:{istio}",
            f"docker.io/fortio/fortio:{BUILT['fortio']}",
            "twinstack.internal/demo:0.1.0",
        },
        "mesh_controller": set(),
    }
    added = {item.name for item in listed.of_groups(MESH)}
    assert added == {"istioctl", "images-mesh-control-plane", "images-mesh-worker", "images-observability"}
    assert not added & {item.name for item in listed.of_groups(CLUSTER)}


def test_source_builds_only_the_version_that_is_pinned() -> None:
    with pytest.raises(manifest.ManifestError) as caught:
        load(calico="3.32.0", etcd="3.6.0")
    assert [(item.where, item.field, item.found) for item in caught.value.findings] == [
        ("inventory", "twinstack_versions.calico", "3.32.0"),
        ("inventory", "twinstack_versions.etcd", "3.6.0"),
    ]
    assert "twinstack_provider: upstream" in caught.value.findings[0].hint
    assert load("upstream", calico="3.32.0").artifacts["calico-node"].image == "docker.io/calico/node:v3.32.0"


def test_what_a_cluster_can_do_without_needs_no_version() -> None:
    built = BUILT["istio"]
    assert load().artifacts["pilot"].image == f"docker.io/istio/pilot:{built}"
    assert f"buildVersion={built} " in load().go_modules["istio"].ldflags
    message = rf"twinstack_versions\.istio: found 1\.30\.3; expected {re.escape(built)}"
    with pytest.raises(manifest.ManifestError, match=message):
        load(istio="1.30.3")
    assert load("upstream", istio="1.30.3").artifacts["pilot"].image == "docker.io/istio/pilot:1.30.3"


def test_what_nobody_pinned_is_never_fetched() -> None:
    listed = load("upstream")
    findings = manifest.unpinned([listed.artifacts["kubelet"], listed.artifacts["kube-proxy"]])
    assert [item.field for item in findings] == ["kubelet.upstream.sha256", "kube-proxy.upstream.digest"]
    assert f"https://dl.k8s.io/release/v{BUILT['kubernetes']}/bin/linux/amd64/kubelet" in findings[0].expected
    assert manifest.unpinned(load("source").artifacts.values()) == []


def test_every_program_that_is_built_here_is_pinned() -> None:
    """None is null, and none is pinned that is not built."""
    listed = load()
    built = {
        step.name.removeprefix("program ") for step in _steps(listed) if step.inputs.get("recipe") == "go program 1"
    }
    pins = {program: pin for module in listed.go_modules.values() for program, pin in module.sha256.items()}
    assert set(pins) == built
    assert [program for program, pin in pins.items() if not pin] == []


def _steps(listed: manifest.Manifest) -> list[steps.Step]:
    """All steps of all artifacts."""
    wanted = listed.of_groups([*CLUSTER, *MESH])
    return list(catalogue.Catalogue(listed, wanted, debian.PrivateApt(Path("none"), "trixie")).steps.values())


def write(folder: Path, data: dict[str, Any]) -> Path:
    """A manifest of its own, with one Go module `tool` beside it."""
    (folder / "go" / "tool").mkdir(parents=True)
    (folder / "go" / "tool" / "go.mod").write_text("module x\n\nrequire example.org/tool v1.2.3\n")
    path = folder / "manifest.yml"
    path.write_text(yaml.safe_dump(data))
    return path


def good() -> dict[str, Any]:
    """A small manifest without an error."""
    return {
        "schema": 1,
        "suite": "trixie",
        "go_modules": {
            "tool": {
                "version": "1.2.3",
                "pin": "example.org/tool v1.2.3",
                "ldflags": "-X v={tool}",
                "sha256": {"tool": "1" * 64, "other": None},
            }
        },
        "artifacts": [
            {
                "name": "tool",
                "version": "{tool}",
                "kind": "binary",
                "licence": "MIT",
                "groups": ["worker"],
                "source": {"module": "tool", "program": "example.org/tool"},
                "upstream": {"url": "https://example.org/{tool.major}/tool", "sha256": "0" * 64},
            },
            {
                "name": "image",
                "version": "{tool}",
                "kind": "image",
                "image": "example.org/image:{tool}",
                "licence": "MIT",
                "groups": ["worker"],
                "source": {"module": "tool", "programs": {"other": "example.org/other"}, "binaries": ["wheel"]},
                "upstream": {"image": "example.org/image:{tool}", "digest": None},
            },
            {"name": "wheel", "version": "1", "kind": "binary", "licence": "MIT", "groups": [], "source": WHEEL},
        ],
    }


def test_versions_are_filled_in(tmp_path: Path) -> None:
    listed = manifest.load(write(tmp_path, good()), {"tool": "1.2.3"}, "upstream")
    assert listed.artifacts["tool"].version == "1.2.3"
    assert listed.artifacts["tool"].provider["url"] == "https://example.org/1/tool"
    assert listed.go_modules["tool"].ldflags == "-X v=1.2.3"


# Each: where to put a value into the good manifest, the value, the field at fault and what was expected of it.
BAD = [
    (("suite",), 13, "suite", "the name of a Debian release"),
    (("go_modules", "tool", "pin"), "example.org/tool v9", "go_modules.tool.pin", "a requirement of go/tool/go.mod"),
    (("go_modules", "tool", "sha256", "tool"), "abc", "go_modules.tool.sha256.tool", "or null while it is not known"),
    (("go_modules", "tool", "sha256"), {"tool": "1" * 64}, "go_modules.tool.sha256.other", "its sha256, or null"),
    (("artifacts", 0, "kind"), "rpm", "tool.kind", "one of binary, package_set"),
    (("artifacts", 0, "groups"), ["wroker"], "tool.groups", "one of control_plane, worker"),
    (("artifacts", 0, "version"), "{tol}", "tool.version", "braces only around tool"),
    (("artifacts", 0, "version"), "{tool.patch}", "tool.version", "braces only around tool"),
    (("artifacts", 0, "image"), "x:1", "tool.image", "for kind image and no other"),
    (("artifacts", 0, "colour"), "red", "tool", "only fields that exist"),
    (("artifacts", 0, "upstream"), None, "tool.upstream", "where this provider gets the artifact"),
    (("artifacts", 0, "upstream", "url"), "ftp://x", "tool.upstream.url", "an http or https URL"),
    (("artifacts", 0, "upstream", "sha256"), "abc", "tool.upstream.sha256", "or null while it is not pinned yet"),
    (("artifacts", 0, "source"), {"module": "tool"}, "tool.source", "{module, program}"),
    (("artifacts", 0, "source", "module"), "other", "tool.source.module", "one of tool"),
    (("artifacts", 0, "source"), {"pypi": "tool", "version": "1"}, "tool.source", "{member, pypi, sha256, version}"),
    (("artifacts", 0, "source"), {**WHEEL, "sha256": None}, "tool.source.sha256", "fetches nothing unpinned"),
    (("artifacts", 0, "source"), {**WHEEL, "sha256": "abc"}, "tool.source.sha256", "[0-9a-f]{64}"),
    (("artifacts", 1, "source", "binaries"), ["tol"], "image.source.binaries", "an artifact of kind binary"),
    (("artifacts", 1, "source", "binaries"), ["image"], "image.source.binaries", "an artifact of kind binary"),
]


@pytest.mark.parametrize(("path", "value", "field", "expected"), BAD)
def test_each_error_is_named(
    tmp_path: Path, path: tuple[str | int, ...], value: Any, field: str, expected: str
) -> None:
    data = good()
    target: Any = data
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    with pytest.raises(manifest.ManifestError) as caught:
        manifest.load(write(tmp_path, data), {"tool": "1.2.3"}, "source")
    assert [item.field for item in caught.value.findings] == [field]
    assert expected in caught.value.findings[0].expected


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    data = good()
    data["artifacts"].append({"name": "half", "kind": "binary"})
    data["artifacts"].append({**data["artifacts"][0], "licence": "GPL"})
    data["artifacts"][0]["groups"] = ["nobody"]
    with pytest.raises(manifest.ManifestError) as caught:
        manifest.load(write(tmp_path, data), {"tool": "1.2.4"}, "source")
    fields = [item.field for item in caught.value.findings]
    assert fields == ["twinstack_versions.tool", "half", "tool.groups", "tool.name"]
    assert re.match(r"The bundle's manifest cannot be used:\n  1\. ", str(caught.value))


def test_a_part_in_a_file_of_its_own_is_read_and_its_errors_name_it(tmp_path: Path) -> None:
    data = good()
    part: dict[str, Any] = {"schema": 1, "artifacts": data["artifacts"][1:]}
    data = {**data, "artifacts": data["artifacts"][:1], "include": ["part.yml"]}
    path = write(tmp_path, data)
    (tmp_path / "part.yml").write_text(yaml.safe_dump(part))
    listed = manifest.load(path, {"tool": "1.2.3"}, "source")
    assert list(listed.artifacts) == ["tool", "image", "wheel"]
    data["artifacts"][0]["source"]["module"] = "gone"
    path.write_text(yaml.safe_dump(data))
    part["artifacts"][0]["groups"] = ["nobody"]
    part["artifacts"][0]["source"]["binaries"] = ["gone"]
    (tmp_path / "part.yml").write_text(yaml.safe_dump(part))
    with pytest.raises(manifest.ManifestError) as caught:
        manifest.load(path, {"tool": "1.2.3"}, "source")
    assert [(item.where, item.field) for item in caught.value.findings] == [
        ("manifest.yml", "tool.source.module"),
        ("part.yml", "image.groups"),
        ("part.yml", "image.source.binaries"),
    ]
    (tmp_path / "part.yml").unlink()
    with pytest.raises(manifest.ManifestError, match=r"part\.yml: file: found .*No such file"):
        manifest.load(path, {"tool": "1.2.3"}, "source")


@pytest.mark.parametrize("text", ["a: [", "schema: 2\n", "- 1\n"])
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.yml"
    path.write_text(text)
    with pytest.raises(manifest.ManifestError, match=r"docs/bundle\.md"):
        manifest.load(path, {}, "source")
    with pytest.raises(manifest.ManifestError, match="source or upstream"):
        manifest.load(path, {}, "sources")
