"""Module istio_revision_users against a server of the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Run, task_play
from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.istio.samples import namespace, path_of, pod
from tests.unit.module_utils.istio.test_revisions import control_plane


def cluster(state: State) -> None:
    """A mesh of one revision, with one tenant in it."""
    state.kinds["apps/v1"] = {"Deployment": ("deployments", True)}
    state.kinds["admissionregistration.k8s.io/v1"] = {
        "MutatingWebhookConfiguration": ("mutatingwebhookconfigurations", False)
    }
    plane = control_plane("stable") | {"kind": "Deployment"}
    state.objects["/apis/apps/v1/namespaces/istio-system/deployments/istiod-stable"] = plane
    for item in (namespace("foo", istio_io_rev="stable"), pod("web", "stable", name="web")):
        state.objects[path_of(item)] = item


def test_a_revision_in_use_is_not_removed_and_any_other_is(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    with api_server(tmp_path) as (state, kubeconfig):
        cluster(state)

        def ask(revision: str, *words: str) -> Run:
            arguments = {"kubeconfig": str(kubeconfig), "revisions": [revision], "default": revision}
            path = task_play(tmp_path, "twinstack.core.istio_revision_users", arguments, "found['leaving']")
            return playbook("-i", "localhost,", path, *words)

        for words in ((), ("--check",)):
            refused = ask("blue", *words)
            told = " ".join(refused.output.split())
            assert refused.code != 0
            assert "2 reasons not to remove revision stable of the mesh" in told
            assert "Pod foo/web" in told and "namespace foo: label: found istio.io/rev=stable" in told
        assert "changed=0" in ask("stable").succeeded().output
        del state.objects["/api/v1/namespaces/foo"], state.objects["/api/v1/namespaces/foo/pods/web"]
        assert '["stable"]' in ask("blue").succeeded().output
        assert state.log == []
