"""kube_client and kube_apply against a server on the loopback, and module apply as Ansible runs it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import client as kube_client
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.conftest import Run, task_play
from tests.unit.kube_server import State, api_server

SPEC = {"group": "example.org", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1"}]}
SYSTEM = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.org"},
    "spec": SPEC,
}
THING = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {"size": 1}}


def config_map(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap in namespace demo."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "demo"}, "data": data}


ALL = [THING, config_map("a", x="1"), DEFINITION, SPACE]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[State, Path]]:
    """A server and its kubeconfig."""
    with api_server(tmp_path) as pair:
        yield pair


def client(served: tuple[State, Path]) -> kube_client.Client:
    """A client of the server."""
    return kube_client.Client(str(served[1]), None, "test")


def apply(served: tuple[State, Path], objects: list[Any], part: str = "", dry: bool = False) -> kube_apply.Outcome:
    """One apply with ten seconds' time."""
    return kube_apply.apply_all(client(served), objects, part, dry, True, time.monotonic() + 10)


def test_everything_new_is_applied_in_order_and_the_second_time_nothing_changes(served: tuple[State, Path]) -> None:
    first = apply(served, ALL)
    assert first.failures == []
    assert set(first.changed) == {
        "Namespace demo",
        "CustomResourceDefinition things.example.org",
        "Thing one",
        "ConfigMap demo/a",
    }
    assert [line.rpartition("/")[2] for line in served[0].log[:2]] == ["demo", "things.example.org"]
    assert apply(served, ALL).changed == []


@pytest.mark.parametrize("dry", [True, False])
def test_nothing_is_applied_when_a_namespace_is_somebody_elses(served: tuple[State, Path], dry: bool) -> None:
    apply(served, [SPACE])
    two = {**SPACE, "metadata": {"name": "two", "labels": {"istio.io/rev": "stable"}}}
    labels = {"istio-injection": "enabled", kube_objects.PART_LABEL: "tenants"}
    apply(served, [{**two, "metadata": {"name": "two", "labels": labels}}])
    before = list(served[0].log)
    failures = apply(served, [config_map("a"), DEFINITION, SPACE, two], part="tenants", dry=dry).failures
    assert [line.partition(":")[0] for line in failures] == ["Namespace demo", "Namespace two"], "all at once"
    assert "expected a free name" in failures[0] and "istio-injection=enabled" in failures[1]
    assert served[0].log == before
    assert not [line for line in served[0].asked if line.startswith("PATCH") and "dryRun" in line]


def test_a_dry_run_tells_the_same_and_sends_nothing(served: tuple[State, Path]) -> None:
    told = apply(served, ALL, dry=True)
    assert told.failures == []
    assert len(told.changed) == 4
    assert served[0].log == []
    apply(served, ALL)
    assert apply(served, ALL, dry=True).changed == []
    changed = apply(served, [SPACE, config_map("a", x="2")], dry=True)
    assert changed.changed == ["ConfigMap demo/a"]
    assert "x: '1'" in changed.diff[0]["before"]
    assert "x: '2'" in changed.diff[0]["after"]
    assert served[0].objects["/api/v1/namespaces/demo/configmaps/a"]["data"] == {"x": "1"}


def test_what_left_a_part_is_removed_and_nothing_else(served: tuple[State, Path]) -> None:
    apply(served, [SYSTEM, DEFINITION])
    apply(served, [SPACE, config_map("kept"), config_map("left"), THING], part="ours")
    apply(served, [config_map("foreign")])
    told = apply(served, [SPACE, config_map("kept")], part="ours", dry=True)
    assert set(told.pruned) == {"ConfigMap demo/left", "Thing one"}, "a kind that left the part counts too"
    done = apply(served, [SPACE, config_map("kept")], part="ours")
    assert (done.changed, set(done.pruned)) == ([], {"ConfigMap demo/left", "Thing one"})
    names = {"kube-system", "things.example.org", "twinstack-part-ours", "demo", "kept", "foreign"}
    assert {path.rpartition("/")[2] for path in served[0].objects} == names
    sent = len(served[0].log)
    again = apply(served, [SPACE, config_map("kept")], part="ours")
    assert (again.changed, again.pruned) == ([], [])
    assert len(served[0].log) == sent, "what stands as it was made is looked at only, and so is the record of kinds"


def test_a_part_without_objects_goes_away_as_a_whole_namespaces_last(served: tuple[State, Path]) -> None:
    apply(served, [SYSTEM])
    apply(served, ALL, part="ours")
    done = apply(served, [], part="ours")
    assert done.failures == []
    assert set(done.pruned) == {
        "Namespace demo",
        "CustomResourceDefinition things.example.org",
        "Thing one",
        "ConfigMap demo/a",
    }
    assert done.pruned[-1] == "Namespace demo"
    assert [line for line in served[0].log if line.startswith("DELETE") and "/demo/" in line] == [], "one by one"
    assert {path.rpartition("/")[2] for path in served[0].objects} == {"kube-system"}
    assert apply(served, [], part="ours").pruned == []


def test_a_refused_removal_is_told_and_not_forgotten(served: tuple[State, Path]) -> None:
    apply(served, [SYSTEM, SPACE])
    apply(served, [config_map("left")], part="ours")
    served[0].refuse["/api/v1/namespaces/demo/configmaps/left"] = [(403, "a webhook says no")]
    refused = apply(served, [], part="ours")
    assert refused.failures == ["ConfigMap demo/left: it could not be removed: a webhook says no"]
    assert apply(served, [], part="ours").pruned == ["ConfigMap demo/left"]


def test_a_definition_that_is_not_established_stops_the_apply_with_its_reason(served: tuple[State, Path]) -> None:
    served[0].establishes = False
    outcome = kube_apply.apply_all(client(served), [DEFINITION, THING], "", False, True, time.monotonic() + 1)
    assert outcome.failures == ["CustomResourceDefinition things.example.org: Established is False: names conflict"]
    assert "/apis/example.org/v1/things/one" not in served[0].objects


def test_nothing_that_pods_come_of_is_applied_before_what_it_waits_for(served: tuple[State, Path]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late", "namespace": "demo"}, "spec": {}}
    node = (kube_objects.Key("v1", "Node", "", "n1"), "")

    def outcome(dry: bool) -> kube_apply.Outcome:
        return kube_apply.apply_all(client(served), [*ALL, pod], "", dry, True, time.monotonic() + 0.2, [node])

    assert "Pod demo/late" in outcome(dry=True).changed
    early = outcome(dry=False)
    assert [line.split(":")[0] for line in early.late] == ["Node n1"]
    assert "Namespace demo" in early.changed and "Pod demo/late" not in early.changed


def test_all_refusals_of_a_wave_are_told(served: tuple[State, Path]) -> None:
    state = served[0]
    for name in ("a", "b"):
        state.refuse[f"/api/v1/namespaces/demo/configmaps/{name}"] = [(422, f"{name} is invalid")]
    outcome = apply(served, [SPACE, config_map("a"), config_map("b"), config_map("c")])
    assert outcome.failures == [
        "ConfigMap demo/a: the API server refused it: a is invalid",
        "ConfigMap demo/b: the API server refused it: b is invalid",
    ]


def test_a_passing_refusal_is_tried_again(served: tuple[State, Path]) -> None:
    served[0].refuse["/api/v1/namespaces/demo"] = [(503, "not yet")]
    assert apply(served, [SPACE]).failures == []


def test_an_unknown_kind_is_a_failure(served: tuple[State, Path]) -> None:
    outcome = apply(served, [THING])
    assert outcome.failures == ["Thing one: found no kind Thing in example.org/v1; expected the cluster to serve it"]


def test_waiting_ends_with_the_reason(served: tuple[State, Path]) -> None:
    apply(served, ALL)
    cluster = client(served)
    target = (Key("example.org/v1", "Thing", "", "one"), "Ready")
    assert kube_apply.wait_all(cluster, [target], time.monotonic()) == ["Thing one: no condition Ready"]
    every = (Key("example.org/v1", "Thing", "", ""), "Ready")
    assert kube_apply.wait_all(cluster, [every], time.monotonic()) == ["Thing one: no condition Ready"]
    path = "/apis/example.org/v1/things/one"
    served[0].objects[path]["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert kube_apply.wait_all(cluster, [target, every], time.monotonic()) == []
    none = (Key("v1", "Secret", "", ""), "")
    assert kube_apply.wait_all(cluster, [none], time.monotonic()) == ["Secret: none there"]


def test_a_waiting_target_is_looked_at_again(served: tuple[State, Path]) -> None:
    apply(served, ALL)

    def become_ready(seconds: float) -> None:
        served[0].objects["/apis/example.org/v1/things/one"]["status"] = {
            "conditions": [{"type": "Ready", "status": "True"}]
        }

    target = (Key("example.org/v1", "Thing", "", "one"), "Ready")
    assert kube_apply.wait_all(client(served), [target], time.monotonic() + 60, become_ready) == []


def test_what_is_waited_for_is_asked_for_one_after_the_other(served: tuple[State, Path]) -> None:
    apply(served, ALL)
    server, cluster = served[0], client(served)
    thing, space = (Key("example.org/v1", "Thing", "", "one"), "Ready"), (SPACE_KEY, "Ready")
    paths = ["/apis/example.org/v1/things/one", SPACE_PATH]
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}

    def looks() -> list[str]:
        found = [path for path in paths for line in server.asked if line.partition("?")[0].endswith(path)]
        server.asked.clear()
        return found

    looks()
    late = kube_apply.wait_all(cluster, [thing, space], time.monotonic())
    assert late == ["Thing one: no condition Ready", "Namespace demo: no condition Ready"]
    assert looks() == paths, "both are told of when time is up"

    def become_ready(seconds: float) -> None:
        looked = looks()
        if len(sleeps) == 2:
            server.objects[paths[0]]["status"] = ready
        if len(sleeps) == 4:
            server.objects[paths[1]]["status"] = ready
        sleeps.append(looked)

    sleeps: list[list[str]] = []
    assert kube_apply.wait_all(cluster, [thing, space], time.monotonic() + 60, become_ready) == []
    assert sleeps == [[paths[0]]] * 3 + [paths, [paths[1]]] and looks() == [paths[1]]


# --- what goes away ---------------------------------------------------------------------------------------------------

SPACE_KEY = Key("v1", "Namespace", "", "demo")
SPACE_PATH = "/api/v1/namespaces/demo"
DEFINITION_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.org"


def test_what_is_being_removed_is_looked_at_until_it_is_gone(served: tuple[State, Path]) -> None:
    apply(served, [SPACE, DEFINITION])
    cluster = client(served)
    keys = [SPACE_KEY, Key("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.org")]
    looks = []

    def removed(seconds: float) -> None:
        looks.append(seconds)
        served[0].objects.pop(SPACE_PATH if len(looks) == 1 else DEFINITION_PATH)

    assert kube_apply.wait_gone(cluster, keys, time.monotonic() + 60, removed) == []
    assert len(looks) == 2
    assert kube_apply.wait_gone(cluster, keys, time.monotonic(), removed) == []
    assert kube_apply.wait_gone(cluster, [], time.monotonic(), removed) == []


def test_what_is_not_gone_in_time_is_named(served: tuple[State, Path]) -> None:
    apply(served, [SPACE])
    unknown = Key("example.org/v1", "Thing", "", "one")
    assert kube_apply.wait_gone(client(served), [unknown], time.monotonic()) == [], "its kind is gone"
    assert kube_apply.wait_gone(client(served), [unknown, SPACE_KEY], time.monotonic()) == [
        "Namespace demo: found it still there, expected it to be gone"
    ]


def test_without_an_answer_nobody_knows_whether_it_is_gone(tmp_path: Path) -> None:
    with api_server(tmp_path) as served:
        cluster = client(served)
        cluster.learn("v1")
    sleeps: list[float] = []
    (line,) = kube_apply.wait_gone(cluster, [SPACE_KEY], time.monotonic() + 0.2, sleeps.append)
    assert line.startswith("Namespace demo: ") and "still there" not in line
    assert sleeps


def test_pruned_namespaces_and_definitions_are_waited_for(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    state = served[0]
    apply(served, [SYSTEM])
    apply(served, ALL, part="ours")
    assert apply(served, [SPACE, DEFINITION], part="ours", dry=True).going == [], "the rest goes at once"
    arguments = {"kubeconfig": str(served[1]), "objects": [], "part": "ours", "timeout": 20}
    state.stays |= {SPACE_PATH: 1000, DEFINITION_PATH: 1000}
    told = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments), "--check").succeeded()
    assert "changed=1" in told.output
    failed = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments | {"timeout": 1}))
    assert failed.code != 0
    for name in ("Namespace demo", "CustomResourceDefinition things.example.org"):
        assert f"{name}: found it still there, expected it to be gone" in " ".join(failed.output.split())

    apply(served, [SPACE, DEFINITION], part="ours")
    for path in (SPACE_PATH, DEFINITION_PATH):
        state.objects[path]["metadata"].pop("deletionTimestamp", None)
        state.stays[path] = 15
    done = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments)).succeeded()
    assert "changed=1" in done.output
    assert state.objects.keys() == {"/api/v1/namespaces/kube-system"}


@pytest.mark.parametrize(("looks", "timeout"), [(3, 20), (1000, 1)])
def test_the_module_waits_until_what_it_is_told_is_gone(
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
        assert done.code != 0 and "not gone within 1 s: Namespace demo: found it still there" in said
        assert "describe namespace/demo namespace/never-was" in said


# --- kube_client ------------------------------------------------------------------------------------------------------


def test_a_merge_changes_what_it_names_and_tells_who_did_it(served: tuple[State, Path]) -> None:
    apply(served, [SPACE, config_map("a", x="1", y="1")])
    sent = len(served[0].asked)
    key = Key("v1", "ConfigMap", "demo", "a")
    merged = client(served).merge(key, {"data": {"x": "2"}}, "somebody")
    assert merged["data"] == served[0].objects["/api/v1/namespaces/demo/configmaps/a"]["data"] == {"x": "2", "y": "1"}
    path = "/api/v1/namespaces/demo/configmaps/a"
    assert served[0].asked[sent:] == [
        "GET /api/v1",
        f"PATCH {path}?fieldManager=somebody&fieldValidation=Strict",
    ]
    with pytest.raises(kube_client.RefusedError) as refused:
        client(served).merge(Key("v1", "ConfigMap", "demo", "b"), {"data": {}}, "somebody")
    assert refused.value.status == 404
    with pytest.raises(kube_client.UnknownKindError):
        client(served).merge(Key("example.org/v1", "Thing", "", "one"), {}, "somebody")


@pytest.mark.parametrize(
    "query",
    [
        [("H", "Host:foo"), ("url", "http://[fd00::11]:1/a?b=c&d=e"), ("H", "X-One:1 + 1")],
        (("n", "1"), ("n", "1")),
        {"labelSelector": "a=b,c!=d"},
        [],
        None,
    ],
)
def test_a_querys_key_may_be_there_more_than_once(served: tuple[State, Path], query: kube_client.Query) -> None:
    seen: list[list[tuple[str, str]]] = []

    def page(path: str, given: list[tuple[str, str]]) -> tuple[int, str]:
        seen.append(given)
        return 200, path

    served[0].pages["/somewhere"] = page
    assert client(served).text("/somewhere/else", query) == '"/else"'
    assert seen == [list(query.items()) if isinstance(query, dict) else list(query or ())]


# --- module apply -----------------------------------------------------------------------------------------------------


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


# --- tls_secrets ------------------------------------------------------------------------------------------------------

SECRET_PATH = "/api/v1/namespaces/demo/secrets/gateway"


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


def test_a_namespace_of_somebody_else_is_not_taken_over(served: tuple[State, Path]) -> None:
    """Else it would be removed with all that is in it, once the part does not hold it any more."""
    apply(served, [SYSTEM, SPACE])
    for dry in (True, False):
        told = apply(served, [SPACE, config_map("new")], part="ours", dry=dry)
        assert told.changed == []
        (failure,) = told.failures
        assert failure.startswith(
            "Namespace demo: found a namespace that this project did not make; expected a free name"
        )


def test_a_namespace_with_both_kinds_of_injection_label_is_refused(served: tuple[State, Path]) -> None:
    """Istio would follow the older one, whatever revision the newer one names."""
    named = {**SPACE, "metadata": {"name": "demo", "labels": {"istio.io/rev": "canary"}}}
    apply(served, [SYSTEM])
    assert apply(served, [named], part="ours").failures == []
    older = {**SPACE, "metadata": {"name": "demo", "labels": {"istio-injection": "enabled"}}}
    apply(served, [older])
    (failure,) = apply(served, [named], part="ours").failures
    assert "istio-injection=enabled beside istio.io/rev" in failure
    assert failure.endswith("Try: kubectl label namespace demo istio-injection-")
