"""bump: what another version changes in the texts of go.mod and of the manifest, and requests that are refused."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import bump

MANIFEST = """---
# Words at the top.
schema: 1

go_modules:
  kubernetes:
    version: 1.37.2 # why this one
    pin: k8s.io/kubernetes v1.37.2
    ldflags: >-
      -X v={kubernetes}
      -X date=2026-10-27T12:01:04Z
    sha256:
      # The order is that of the artifacts.
      kubelet: 1111111111111111111111111111111111111111111111111111111111111111
      agnhost: null # not known yet
  istio:
    version: 1.31.0
    optional: true
    pin: istio.io/istio v0.0.0-20260827124520-eed52ebb66ad
    ldflags: >-
      -X tag={istio}
      -X revision=eed52ebb66ad
    sha256: {istioctl: 2222222222222222222222222222222222222222222222222222222222222222}

artifacts:
  - name: kubelet
    version: "{kubernetes}"
    upstream: {url: "https://example.org", sha256: 3333333333333333333333333333333333333333333333333333333333333333}
  - name: ours
    version: 1.0.0
    upstream: {url: "https://example.net", sha256: 4444444444444444444444444444444444444444444444444444444444444444}
"""
KUBERNETES = bump.Component("kubernetes", "manifest.yml", "1.37.2", "k8s.io/kubernetes", "v1.37.2")
ISTIO = bump.Component("istio", "mesh.yml", "1.31.0", "istio.io/istio", "v0.0.0-20260827124520-eed52ebb66ad")
KNOWN = {"kubernetes": KUBERNETES, "istio": ISTIO}


def changed_lines(before: str, after: str) -> dict[str, str]:
    """The lines that differ, old: new; both texts must have as many."""
    return {a: b for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b}


def test_a_release_moves_the_modules_that_are_released_with_it_and_nothing_else() -> None:
    text = """module twinstack/kubernetes

go 1.26.0

require (
\tk8s.io/kubernetes v1.37.2
\tk8s.io/api v0.37.2 // indirect
\tk8s.io/klog/v2 v2.140.0
\texample.org/other v0.37.2
\texample.org/same v1.37.2
)

replace (
\texample.org/fork => example.org/fork v1.0.0
\texample.org/own => example.org/own v2.0.0
)
"""
    upstream = """module k8s.io/kubernetes

replace (
\texample.org/fork => example.org/fork v1.1.0
\tk8s.io/api => ./staging/src/k8s.io/api
)
"""
    after = bump.go_mod(text, KUBERNETES, "1.38.0", bump.Release("v1.38.0", "", upstream))
    assert changed_lines(text, after) == {
        "\tk8s.io/kubernetes v1.37.2": "\tk8s.io/kubernetes v1.38.0",
        "\tk8s.io/api v0.37.2 // indirect": "\tk8s.io/api v0.38.0 // indirect",
        "\texample.org/fork => example.org/fork v1.0.0": "\texample.org/fork => example.org/fork v1.1.0",
    }


def test_tools_of_the_same_repository_move_along() -> None:
    text = "require go.etcd.io/etcd/server/v3 v3.7.3\nrequire go.etcd.io/etcd/etcdctl/v3 v3.7.3 // indirect\n"
    text += "require go.etcd.io/raft/v3 v3.7.3\n"
    etcd = bump.Component("etcd", "manifest.yml", "3.7.3", "go.etcd.io/etcd/server/v3", "v3.7.3")
    assert bump.go_mod(text, etcd, "3.7.4", bump.Release("v3.7.4", "", "")) == text.replace("3.7.3", "3.7.4", 2)


def test_the_manifest_keeps_comments_and_order() -> None:
    after = bump.manifest(MANIFEST, KUBERNETES, "1.38.0", bump.Release("v1.38.0", "2027-01-02T03:04:05Z", ""))
    assert changed_lines(MANIFEST, after) == {
        "    version: 1.37.2 # why this one": "    version: 1.38.0 # why this one",
        "    pin: k8s.io/kubernetes v1.37.2": "    pin: k8s.io/kubernetes v1.38.0",
        "      -X date=2026-10-27T12:01:04Z": "      -X date=2027-01-02T03:04:05Z",
        f"      kubelet: {'1' * 64}": "      kubelet: null",
        f'    upstream: {{url: "https://example.org", sha256: {"3" * 64}}}': (
            '    upstream: {url: "https://example.org", sha256: null}'
        ),
    }


def test_a_commit_as_version_is_stamped() -> None:
    release = bump.Release("v0.0.0-20261001000000-0123456789ab", "2026-10-01T00:00:00Z", "")
    after = bump.manifest(MANIFEST, ISTIO, "1.31.1", release)
    assert changed_lines(MANIFEST, after) == {
        "    version: 1.31.0": "    version: 1.31.1",
        "    pin: istio.io/istio v0.0.0-20260827124520-eed52ebb66ad": f"    pin: istio.io/istio {release.pin}",
        "      -X revision=eed52ebb66ad": "      -X revision=0123456789ab",
        f"    sha256: {{istioctl: {'2' * 64}}}": "    sha256: {istioctl: null}",
    }


def test_pins_are_written_where_they_stand() -> None:
    assert bump.pins(MANIFEST, "kubernetes") == {"kubelet": "1" * 64, "agnhost": ""}
    after = bump.pinned(MANIFEST, "kubernetes", {"agnhost": "b" * 64, "kubelet": "a" * 64})
    assert changed_lines(MANIFEST, after) == {
        f"      kubelet: {'1' * 64}": f"      kubelet: {'a' * 64}",
        "      agnhost: null # not known yet": f"      agnhost: {'b' * 64} # not known yet",
    }


REFUSED = [
    (
        bump.Request("kubernets", "1.37.3"),
        "bump: component: found kubernets; expected one of kubernetes, istio. "
        "Try: make bump COMPONENT=kubernetes VERSION=1.37.2",
    ),
    (bump.Request("", ""), "bump: component: found nothing; expected one of kubernetes, istio"),
    (
        bump.Request("kubernetes", "v1.37.3"),
        "bump: version: found v1.37.3; expected three numbers like 1.37.2. "
        "Try: make bump COMPONENT=kubernetes VERSION=1.37.2",
    ),
    (bump.Request("kubernetes", "1.38"), "bump: version: found 1.38; expected three numbers like 1.37.2"),
    (bump.Request("kubernetes", ""), "bump: version: found nothing; expected three numbers like 1.37.2"),
    (
        bump.Request("istio", "1.31.1"),
        "bump: revision: found nothing; expected the commit of release 1.31.1: tags of istio.io/istio are no "
        "versions of its module. Try: make bump COMPONENT=istio VERSION=1.31.1 REVISION=<commit>",
    ),
    (
        bump.Request("istio", "1.31.1", "-X"),
        "bump: revision: found -X; expected a tag or a commit. "
        "Try: make bump COMPONENT=istio VERSION=1.31.1 REVISION=<commit>",
    ),
]


@pytest.mark.parametrize(("request_", "message"), REFUSED)
def test_a_request_that_cannot_be_met_is_refused(request_: bump.Request, message: str) -> None:
    with pytest.raises(bump.BumpError) as caught:
        bump.checked(request_, KNOWN)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (bump.Request("istio", "1.31.0"), False),
        (bump.Request("istio", "1.31.0", "eed52ebb66ad0123456789abcdef0123456789ab"), False),
        (bump.Request("istio", "1.31.0", ISTIO.pin), False),
        (bump.Request("istio", "1.31.0", "0123456789ab"), True),
        (bump.Request("istio", "1.31.1", "eed52ebb66ad"), True),
        (bump.Request("kubernetes", "1.37.2"), False),
        (bump.Request("kubernetes", "1.37.3"), True),
    ],
)
def test_what_is_there_already_needs_no_resolving(request_: bump.Request, wanted: bool) -> None:
    assert bump.wants_resolving(request_, bump.checked(request_, KNOWN)) is wanted
