"""Objects, questions and answers of fortio, and module load against a server that plays the API and fortio."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import client as kube_client
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio
from ansible_collections.twinstack.core.plugins.modules import http_load as load_module

from tests.conftest import Run, task_play
from tests.unit.kube_server import State, api_server

SPACE = "/api/v1/namespaces/twinstack-load"
POD = f"{SPACE}/pods/fortio"
IPV4 = {"name": "foo IPv4", "url": "http://192.168.1.11:30080/", "headers": ["Host:foo.example", "X-One:1"]}
IPV6 = {"name": "foo IPv6", "url": "http://[fd00::11]:30080/a?b=c&d=e", "qps": 5, "connections": 1}

COMPLAINT = {"ts": 1764000000.1, "level": "warn", "r": 12, "file": "http_client.go", "line": 9}
COMPLAINT |= {"msg": "connection reset", "key": "url", "value": "http://192.168.1.11:30080/"}


def sample(codes: dict[str, int]) -> dict[str, Any]:
    """What fortio says about a run that got these answers."""
    count = sum(codes.values())
    percentiles = [{"Percentile": 50, "Value": 0.0012345}, {"Percentile": 99.9, "Value": 1}]
    histogram: dict[str, Any] = {"Count": count, "Max": 1.5 if count else 0}
    histogram["Percentiles"] = [*percentiles, {"Percentile": 99, "Value": 0.5}] if count else None
    return {
        "RequestedQPS": "20",
        "ActualQPS": 19.96,
        "ActualDuration": 2504999999,
        "DurationHistogram": histogram,
        "RetCodes": codes,
    }


class Fortio:
    """Plays fortio's REST API. codes: answers by URL; late: how often a result's file is not there yet."""

    def __init__(self) -> None:
        self.codes: dict[str, dict[str, int]] = {}
        self.runs: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.stopped: list[str] = []
        self.late = 1

    def answer(self, path: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        """One page."""
        self.asked.append((path, query))
        given = dict(query)
        if path == "/fortio/rest/run" and "async" not in given:
            return 200, sample(self.codes.get(given["url"], {"200": int(given["n"])}))
        if path == "/fortio/rest/run":
            number = str(len(self.runs) + 1)
            self.runs[number] = given
            return 200, {"RunID": int(number)}
        if path == "/fortio/rest/status":
            options = {number: {"RunnerOptions": {"Labels": run["labels"]}} for number, run in self.runs.items()}
            return 200, {"Statuses": options or None}
        if path == "/fortio/rest/stop" and given["wait"] == "on":
            self.stopped.append(given["runid"])
            return 200, {"ResultID": f"id-{given['runid']}"}
        number = path.removeprefix("/fortio/data/id-").removesuffix(".json")
        self.late -= 1
        if number not in self.stopped or self.late >= 0:
            return 404, {"message": f"{path} not found"}
        return 200, sample(self.codes.get(self.runs[number]["url"], {"200": 1000}))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[State, Fortio]]:
    """A cluster whose pods become ready and whose pod fortio answers; its kubeconfig is in tmp_path."""
    with api_server(tmp_path) as (state, _):
        state.kinds["v1"]["Pod"] = ("pods", True)
        player = Fortio()
        state.pages[f"{SPACE}/pods/fortio:8080/proxy"] = player.answer
        state.pages[f"{POD}/log"] = lambda path, query: (200, COMPLAINT)

        def become_ready(path: str) -> None:
            if path == POD and path in state.objects:
                state.objects[path]["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}

        state.changed = become_ready
        yield state, player


@pytest.fixture
def load(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs module load: ``load(state, *words of ansible-playbook, **more arguments)``."""

    def start(state: str, *words: str, **more: Any) -> Run:
        arguments = {"kubeconfig": str(tmp_path / "kubeconfig"), "state": state, **more}
        names = ("outcome", "failed_requests", "complaints")
        shown = ", ".join(f"found['{name}'] | default('none')" for name in names)
        path = task_play(tmp_path, "twinstack.core.http_load", arguments, f"[{shown}]")
        return playbook("-i", "localhost,", path, *words)

    running = {"image": "example.org/fortio:1", "targets": [IPV4, IPV6]}
    return lambda state, *words, **more: start(state, *words, **((running if state == "running" else {}) | more))


# --- objects, requests and answers ------------------------------------------------------------------------------------


def test_the_pod_is_outside_the_mesh_and_needs_no_privileges() -> None:
    space, pod = fortio.objects("somewhere", "example.org/fortio:1")
    assert (space["metadata"]["name"], pod["metadata"]["namespace"]) == ("somewhere", "somewhere")
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert not [name for item in (space, pod) for name in item["metadata"]["labels"] if "istio" in name]
    (container,) = pod["spec"]["containers"]
    context = container["securityContext"]
    assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and context["runAsUser"] > 0
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/fortio/rest/status", "port": 8080}
    assert pod["spec"]["automountServiceAccountToken"] is False
    written = container["command"][container["command"].index("-data-dir") + 1]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [written]


def test_a_few_requests_are_waited_for_and_endless_ones_are_saved() -> None:
    target = fortio.Target("foo", "http://[fd00::11]:30080/", ("Host:foo.example", "X-One:1"), 7.5, 3)
    few, endless = fortio.run_query(target, 5), fortio.run_query(target)
    for query in (few, endless):
        assert {("url", target.url), ("labels", "foo"), ("qps", "7.5"), ("c", "3")} <= set(query)
        assert [value for key, value in query if key == "H"] == ["Host:foo.example", "X-One:1"]
    assert ("n", "5") in few
    assert not {"t", "async"} & dict(few).keys()
    assert {("t", "on"), ("async", "on"), ("save", "on")} <= set(endless)
    assert "n" not in dict(endless)


def test_a_result_is_read_and_what_is_not_accepted_counts() -> None:
    result = fortio.parse_result(sample({"200": 40, "503": 6, "-1": 4}))
    assert result.as_dict() == {
        "requests": 50,
        "codes": {"200": 40, "503": 6, "-1": 4},
        "seconds": 2.5,
        "qps": 20.0,
        "p50_ms": 1.23,
        "p99_ms": 500.0,
        "max_ms": 1500.0,
    }
    assert [result.failed(codes) for codes in ((200,), (200, 503), ())] == [10, 4, 50]


def test_what_is_requested_through_the_api_server_ends_before_the_answer_is_given_up() -> None:
    few, endless = (dict(fortio.run_query(fortio.Target("foo", "http://foo/"), count)) for count in (5, 0))
    assert few["timeout"] == f"{fortio.TRY_SECONDS}s"
    assert endless["timeout"] == f"{fortio.TIMEOUT_SECONDS}s"
    patience = kube_client.REQUEST_SECONDS[1]
    tries = load_module.TRIES + 1  # the first request of a connection comes on top
    assert tries * fortio.TRY_SECONDS < patience, "even one after the other"
    assert patience > fortio.TIMEOUT_SECONDS, "the last request of a run that is stopped"


def test_complaints_are_what_fortio_says_about_requests() -> None:
    lines = [json.dumps(COMPLAINT | {"level": level, "msg": level}) for level in ("info", "warn", "err")]
    lines += ["plain text", "[1]", "", json.dumps(COMPLAINT | {"msg": "dflag: no such folder"})]
    url = "url http://192.168.1.11:30080/"
    assert fortio.complaints("\n".join(lines)) == [f"warn {url}", f"err {url}"]
    many = "\n".join(json.dumps({"level": "err", "msg": str(number)}) for number in range(50))
    assert fortio.complaints(many) == [str(number) for number in range(40, 50)], "the last ones"
    assert fortio.complaints("") == []


@pytest.mark.parametrize("data", [sample({}), {"RequestedQPS": "20"}])
def test_a_run_without_any_request_is_no_result(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="20: no request was sent"):
        fortio.parse_result(data)


# --- module load ------------------------------------------------------------------------------------------------------


def test_requests_run_until_they_are_ended_and_nothing_is_left(
    served: tuple[State, Fortio], load: Callable[..., Run]
) -> None:
    state, player = served
    state.objects[SPACE] = {"kind": "Namespace", "metadata": {"name": "twinstack-load"}}
    state.stays[SPACE] = 1
    load("running", "--check").succeeded()
    load("finished", "--check").succeeded()
    assert (state.log, player.asked) == ([], [])

    player.codes[str(IPV6["url"])] = {"200": 5}
    load("running").succeeded()
    assert state.log == [f"DELETE {SPACE}", f"PATCH {SPACE}", f"PATCH {POD}"], "what an earlier run left goes first"
    asked = [dict(query) for _, query in player.asked]
    assert [query["url"] for query in asked] == [IPV4["url"], IPV6["url"]] * 2
    assert ["async" in query for query in asked] == [False, False, True, True], "nothing runs before all answer"
    assert [value for key, value in player.asked[2][1] if key == "H"] == IPV4["headers"]
    assert [(query["qps"], query["c"]) for query in asked[2:]] == [("20.0", "2"), ("5.0", "1")]

    player.codes[str(IPV6["url"])] = {"200": 990, "503": 9, "-1": 1}
    del state.stays[SPACE]
    output = " ".join(load("finished").succeeded().output.split())
    shown = re.search(r"\[\{.*\}, \d+, \[.*\]\]", output)
    assert shown, output
    outcome, failed, complaints = json.loads(shown[0])
    assert complaints == ["connection reset url http://192.168.1.11:30080/"]
    assert (outcome.keys(), failed) == ({"foo IPv4", "foo IPv6"}, 10)
    assert (outcome["foo IPv4"]["requests"], outcome["foo IPv4"]["failed"]) == (1000, 0)
    assert (outcome["foo IPv6"]["codes"], outcome["foo IPv6"]["failed"]) == ({"200": 990, "503": 9, "-1": 1}, 10)
    assert sorted(player.stopped) == ["1", "2"]
    assert state.log[3:] == [f"DELETE {SPACE}"]
    assert SPACE not in state.objects


def test_other_statuses_may_count_as_success(served: tuple[State, Fortio], load: Callable[..., Run]) -> None:
    served[1].codes[str(IPV4["url"])] = {"404": 5}
    load("running", codes=[200, 404]).succeeded()
    assert "}, 0, []]" in load("finished", codes=[200, 404]).succeeded().output


def test_nothing_starts_when_a_target_answers_wrongly(served: tuple[State, Fortio], load: Callable[..., Run]) -> None:
    served[1].codes[str(IPV6["url"])] = {"200": 3, "404": 2}
    failed = load("running")
    assert failed.code != 0
    text = " ".join(failed.output.split())
    assert "nothing was begun: expected HTTP 200: foo IPv6: http://[fd00::11]:30080/a?b=c&d=e: found answers" in text
    assert "'404': 2" in text
    assert "foo IPv4: http" not in text
    assert served[1].runs == {}
    assert SPACE not in served[0].objects


def test_the_load_generator_is_removed_when_the_api_breaks_off(
    served: tuple[State, Fortio], load: Callable[..., Run]
) -> None:
    """Without it the load would not end."""
    state, player = served

    def breaks_off(path: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        begun = len(player.runs) == 1
        return (503, {"message": "no way to the pod"}) if begun else player.answer(path, query)

    state.pages[f"{SPACE}/pods/fortio:8080/proxy"] = breaks_off
    failed = load("running")
    assert failed.code != 0 and "load: no way to the pod. Try:" in " ".join(failed.output.split())
    assert len(player.runs) == 1, "the first target's requests have begun"
    assert SPACE not in state.objects


def test_what_is_left_is_reported_beside_the_reason(served: tuple[State, Fortio], load: Callable[..., Run]) -> None:
    state, player = served
    player.codes[str(IPV6["url"])] = {"404": 5}
    ready = state.changed

    def refuse_from_then_on(path: str) -> None:
        ready(path)
        if path == POD:
            state.refuse[SPACE] = [(403, "a webhook says no")]

    state.changed = refuse_from_then_on
    text = " ".join(load("running").output.split())
    assert (
        "nothing was begun" in text
        and "the load generator remains in namespace twinstack-load: a webhook says no" in text
    )


def test_a_pod_that_does_not_start_is_reported(served: tuple[State, Fortio], load: Callable[..., Run]) -> None:
    served[0].changed = lambda path: None
    failed = load("running", timeout=0)
    assert failed.code != 0
    assert "Pod twinstack-load/fortio: no condition Ready" in failed.output
    assert served[1].asked == []


def test_what_does_not_run_cannot_be_ended(served: tuple[State, Fortio], load: Callable[..., Run]) -> None:
    failed = load("finished")
    assert failed.code != 0
    assert "twinstack-load/fortio: found no run to end" in " ".join(failed.output.split())
    assert served[0].log == [], "what is there stays for a look"


@pytest.mark.parametrize("missing", ["image", "targets"])
def test_starting_needs_an_image_and_targets(tmp_path: Path, playbook: Callable[..., Run], missing: str) -> None:
    arguments = {"kubeconfig": "none", "state": "running", "image": "example.org/fortio:1", "targets": [IPV4]}
    del arguments[missing]
    failed = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.http_load", arguments))
    assert failed.code != 0
    assert f"state is running but all of the following are missing: {missing}" in " ".join(failed.output.split())
