"""Module apply as Ansible runs it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, task_play
from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import (
    ALL,
    DEFINITION,
    DEFINITION_PATH,
    SPACE,
    SPACE_KEY,
    SPACE_PATH,
    SYSTEM,
    apply,
    client,
    config_map,
)

SECRET_PATH = "/api/v1/namespaces/demo/secrets/gateway"


def test_the_module_applies_and_hides_secrets(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "demo"}}
    secret["stringData"] = {"password": "canary"}
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps([secret]), encoding="utf-8")
    arguments = {"kubeconfig": str(served[1]), "objects": [SPACE], "files": [str(kept)]}
    path = task_play(tmp_path, "twinstack.core.apply", arguments)
    told = playbook("-i", "localhost,", path, "--check", "--diff").succeeded()
    assert "changed=1" in told.output
    assert served[0].log == []
    done = playbook("-i", "localhost,", path, "--diff").succeeded()
    assert "changed=1" in done.output
    assert "canary" not in told.output + done.output
    assert "changed=0" in playbook("-i", "localhost,", path).succeeded().output
    kept.write_text('{"kind": "List"}', encoding="utf-8")
    failed = playbook("-i", "localhost,", path)
    assert failed.code != 0
    assert "kept.json: files: found dict; expected a list of objects as JSON" in failed.output


def test_the_module_without_a_cluster(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    path = task_play(tmp_path, "twinstack.core.apply", {"kubeconfig": str(tmp_path / "none"), "objects": [SPACE]})
    told = playbook("-i", "localhost,", path, "--check").succeeded()
    assert "changed=1" in told.output
    assert "every object counts as new" in told.output
    failed = playbook("-i", "localhost,", path)
    assert failed.code != 0
    assert "found no such file; expected the cluster's kubeconfig" in failed.output


def test_the_module_names_every_bad_object(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    path = task_play(
        tmp_path,
        "twinstack.core.apply",
        {"kubeconfig": str(served[1]), "objects": [{"kind": "Pod"}, {"apiVersion": "v1"}]},
    )
    failed = playbook("-i", "localhost,", path)
    assert failed.code != 0
    for line in ("objects[0]: apiVersion: found none", "objects[1]: kind: found none"):
        assert line in failed.output


def test_pruned_namespaces_and_definitions_are_waited_for(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    state = served[0]
    apply(served, [SYSTEM])
    apply(served, ALL, apply_set="ours")
    assert apply(served, [SPACE, DEFINITION], apply_set="ours", dry=True).going == [], "the rest goes at once"
    arguments = {"kubeconfig": str(served[1]), "objects": [], "apply_set": "ours", "timeout": 20}
    arguments["field_manager"] = "test"
    state.stays |= {SPACE_PATH: 1000, DEFINITION_PATH: 1000}
    told = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments), "--check").succeeded()
    assert "changed=1" in told.output
    failed = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments | {"timeout": 1}))
    assert failed.code != 0
    for name in ("Namespace demo: status: found it", "CustomResourceDefinition things.example.org: found it"):
        assert f"{name} still there, " in " ".join(failed.output.split())

    apply(served, [SPACE, DEFINITION], apply_set="ours")
    for path in (SPACE_PATH, DEFINITION_PATH):
        state.objects[path]["metadata"].pop("deletionTimestamp", None)
        state.stays[path] = 15
    done = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments)).succeeded()
    assert "changed=1" in done.output
    assert state.objects.keys() == {"/api/v1/namespaces/kube-system"}


@pytest.mark.parametrize(("looks", "timeout"), [(3, 20), (1000, 1)])
def test_the_module_waits_until_what_it_waits_for_is_deleted(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run], looks: int, timeout: int
) -> None:
    apply(served, [SPACE])
    served[0].stays[SPACE_PATH] = looks
    client(served).delete(SPACE_KEY, dry_run=False)
    going = [{"kind": "Namespace", "names": ["demo", "never-was"]}]
    arguments = {"kubeconfig": str(served[1]), "wait_gone": going, "timeout": timeout}
    done = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments))
    said = " ".join(done.output.split())
    if looks < 1000:
        assert "changed=0" in done.succeeded().output and SPACE_PATH not in served[0].objects
    else:
        assert done.code != 0 and "not gone within 1 s: Namespace demo: status: found it still there" in said
        assert "Try: kubectl describe namespace demo" in said


def test_the_module_ends_the_wait_for_what_cannot_go(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    apply(served, [SPACE])
    served[0].stays[SPACE_PATH] = 10000
    condition = {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "message": "metrics do not answer"}
    served[0].objects[SPACE_PATH]["status"] = {"conditions": [condition]}
    client(served).delete(SPACE_KEY, dry_run=False)
    arguments = {"kubeconfig": str(served[1]), "wait_gone": [{"kind": "Namespace", "names": ["demo"]}], "timeout": 50}
    begun = time.monotonic()
    done = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments))
    said = " ".join(done.output.split())
    assert done.code != 0 and time.monotonic() - begun < 40
    assert "not gone, nor by waiting: Namespace demo: NamespaceDeletionDiscoveryFailure: found metrics do not" in said
    assert said.count("Try:") == 1


def test_the_module_refuses_names_and_adopts(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    """What is refused is in the result too, for a plan; in check mode as well."""
    other = client(served, "somebody")
    apply(served, [SYSTEM])
    apply(served, [SPACE], apply_set="ours")
    for item in (config_map("mine"), config_map("web") | {"metadata": {"name": "web", "namespace": "kube-system"}}):
        other.create(f"/api/v1/namespaces/{item['metadata']['namespace']}/configmaps", item)
    web = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "kube-system"}, "data": {}}
    arguments = {"kubeconfig": str(served[1]), "objects": [web], "apply_set": "ours", "field_manager": "test"}
    arguments["remove_namespaces_variable"] = "tenants_remove"

    def run(*words: str, **more: Any) -> Run:
        shown = "[found['namespaces'], found['findings'] | default([]) | map(attribute='where')]"
        path = task_play(tmp_path, "twinstack.core.apply", arguments | more, shown)
        return playbook("-i", "localhost,", path, *words)

    sent = list(served[0].log)
    for words in (("--check",), ()):
        refused = run(*words)
        said = " ".join(refused.output.split())
        assert refused.code != 0 and "nothing was applied: ConfigMap kube-system/web: owner: found an object" in said
        assert "Namespace demo: tenants_remove: found objects in it" in said
        assert """-e '{"tenants_remove": ["demo"]}'""" in said.replace("\\", "") and "readyz" not in said
    assert served[0].log == sent
    adopt = [{"kind": "ConfigMap", "namespace": "kube-system", "names": ["web"]}]
    named = {"adopt": adopt, "remove_namespaces": ["demo"]}
    told = " ".join(run("--check", **named).succeeded().output.split())
    assert "changed=1" in told and "ConfigMap mine" in told and served[0].log == sent
    assert "changed=1" in run(**named, prune=False).succeeded().output and SPACE_PATH in served[0].objects
    assert "changed=1" in run(**named).succeeded().output and SPACE_PATH not in served[0].objects
    assert "changed=0" in run(**named).succeeded().output


@pytest.fixture
def tls(served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs a play that applies a namespace and a Secret of foo.crt and foo.key, and prints the whole result."""
    (tmp_path / "foo.crt").write_text("certificate", encoding="utf-8")
    (tmp_path / "foo.key").write_text("canary", encoding="utf-8")
    secret = {"namespace": "demo", "name": "gateway"}
    secret |= {"certificate": str(tmp_path / "foo.crt"), "private_key": str(tmp_path / "foo.key")}
    arguments = {"kubeconfig": str(served[1]), "objects": [SPACE], "tls_secrets": [secret]}
    path = task_play(tmp_path, "twinstack.core.apply", arguments)
    return lambda *words: playbook("-i", "localhost,", path, *words)


def test_a_certificate_becomes_a_secret_and_its_key_is_never_shown(
    served: tuple[State, Path], tmp_path: Path, tls: Callable[..., Run]
) -> None:
    told = tls("--check", "--diff", "-vvv").succeeded().output
    assert served[0].log == []
    done = tls("--diff", "-vvv").succeeded().output
    for output in (told, done):
        assert "changed=1" in output
        assert "Secret demo/gateway" in output
        assert "tls.key: (secret)" in output
    kept = served[0].objects[SECRET_PATH]
    assert (kept["kind"], kept["type"]) == ("Secret", "kubernetes.io/tls")
    assert {field: base64.b64decode(text) for field, text in kept["data"].items()} == {
        "tls.crt": b"certificate",
        "tls.key": b"canary",
    }
    again = tls("--diff", "-vvv").succeeded().output
    assert "changed=0" in again
    assert "changed=0" in tls("--check").succeeded().output
    (tmp_path / "foo.key").write_text("canary's sister", encoding="utf-8")
    renewed = tls("--diff", "-vvv").succeeded().output
    assert "changed=1" in renewed
    assert base64.b64decode(served[0].objects[SECRET_PATH]["data"]["tls.key"]) == b"canary's sister"
    for output in (told, done, again, renewed):
        assert "canary" not in output
        assert base64.b64encode(b"canary").decode() not in output


@pytest.mark.parametrize("name", ["foo.crt", "foo.key"])
def test_an_absent_file_is_named_and_may_be_absent_in_check_mode(
    served: tuple[State, Path], tmp_path: Path, tls: Callable[..., Run], name: str
) -> None:
    (tmp_path / name).unlink()
    told = tls("--check").succeeded().output
    assert "Namespace demo" in told
    failed = tls("-vvv")
    assert failed.code != 0
    assert "tls_secrets: demo/gateway: found [Errno 2] No such file or directory" in failed.output
    assert str(tmp_path / name) in failed.output.partition("[Errno 2]")[2].partition("expected a readable")[0]
    assert "canary" not in failed.output
    assert served[0].log == [], "nothing is sent before everything is read"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path, tls: Callable[..., Run]) -> None:
    (tmp_path / "foo.key").write_bytes(b"\x30\x82canary")
    for words in ((), ("--check",)):
        failed = tls(*words, "-vvv")
        assert failed.code != 0
        assert "tls_secrets: demo/gateway: found 'utf-8' codec can't decode" in failed.output
        assert "Traceback" not in failed.output
        assert "canary" not in failed.output


def test_certificates_without_a_cluster_count_as_new(tmp_path: Path, tls: Callable[..., Run]) -> None:
    (tmp_path / "kubeconfig").unlink()
    told = tls("--check", "--diff", "-vvv").succeeded().output
    assert "changed=1" in told
    assert "Secret demo/gateway" in told
    assert "canary" not in told
