"""kube.removal: waiting until objects are gone, and what keeps a namespace from going."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import removal
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.kube.samples import (
    DEFINITION,
    DEFINITION_PATH,
    SPACE,
    SPACE_KEY,
    SPACE_PATH,
    apply,
    client,
    config_map,
)

TIMEOUT = 60.0


def test_what_is_being_removed_is_looked_at_until_it_is_gone(served: tuple[State, Path]) -> None:
    apply(served, [SPACE, DEFINITION])
    cluster = client(served)
    keys = [SPACE_KEY, Key("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.org")]
    looks = []

    def removed(seconds: float) -> None:
        looks.append(seconds)
        served[0].objects.pop(SPACE_PATH if len(looks) == 1 else DEFINITION_PATH)

    assert removal.wait_gone(cluster, keys, time.monotonic() + 60, removed) == []
    assert len(looks) == 2
    assert removal.wait_gone(cluster, keys, time.monotonic(), removed) == []
    assert removal.wait_gone(cluster, [], time.monotonic(), removed) == []


def test_what_is_not_gone_in_time_is_named(served: tuple[State, Path]) -> None:
    apply(served, [SPACE])
    unknown = Key("example.org/v1", "Thing", "", "one")
    assert removal.wait_gone(client(served), [unknown], time.monotonic()) == [], "its kind is gone"
    assert removal.wait_gone(client(served), [unknown, SPACE_KEY], time.monotonic()) == [
        "Namespace demo: found it still there, expected it to be gone"
    ]


def test_without_an_answer_nobody_knows_whether_it_is_gone(tmp_path: Path) -> None:
    with api_server(tmp_path) as served:
        cluster = client(served)
        cluster.learn("v1")
    sleeps: list[float] = []
    (line,) = removal.wait_gone(cluster, [SPACE_KEY], time.monotonic() + 0.2, sleeps.append)
    assert line.startswith("Namespace demo: ") and "still there" not in line
    assert sleeps


class Clock:
    """Time that passes by sleeping alone. after: what happens at a second of it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.after: dict[float, Any] = {}

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        for moment in [one for one in self.after if one <= self.seconds]:
            self.after.pop(moment)()

    def now(self) -> float:
        """Seconds."""
        return self.seconds


def stuck(served: tuple[State, Path], condition: str, message: str) -> dict[str, Any]:
    """Namespace demo, which is being removed and says this."""
    apply(served, [SPACE])
    item = served[0].objects[SPACE_PATH]
    served[0].stays[SPACE_PATH] = 10000
    item["metadata"]["deletionTimestamp"] = "2026-11-24T06:00:00Z"
    item["status"] = {"phase": "Terminating", "conditions": [_true(condition, message)] if condition else []}
    return item


def _true(condition: str, message: str) -> dict[str, str]:
    return {"type": condition, "status": "True", "reason": "Some", "message": message}


def waited(served: tuple[State, Path], clock: Clock | None = None, *more: Key) -> tuple[str, float]:
    """The lines of waiting for the namespace, and how many seconds that took."""
    clock = clock or Clock()
    lines = removal.wait_gone(client(served), [SPACE_KEY, *more], TIMEOUT, clock.sleep, clock.now)
    return "\n".join(lines), clock.seconds


def test_a_dead_api_service_is_named_within_seconds(served: tuple[State, Path]) -> None:
    stuck(served, "NamespaceDeletionDiscoveryFailure", "Discovery failed for some groups, 1 failing")
    served[0].kinds["apiregistration.k8s.io/v1"] = {"APIService": ("apiservices", False)}
    for name, status in (("v1beta1.metrics.k8s.io", "False"), ("v1.apps", "True")):
        condition = {"type": "Available", "status": status, "reason": "ServiceNotFound", "message": "no service"}
        served[0].objects[f"/apis/apiregistration.k8s.io/v1/apiservices/{name}"] = {
            "kind": "APIService",
            "metadata": {"name": name},
            "status": {"conditions": [condition]},
        }
    said, seconds = waited(served)
    assert said == (
        "Namespace demo: NamespaceDeletionDiscoveryFailure: found APIService v1beta1.metrics.k8s.io is not available: "
        "ServiceNotFound: no service; expected the namespace gone. Try: kubectl describe apiservice "
        "v1beta1.metrics.k8s.io; start its server, or kubectl delete apiservice v1beta1.metrics.k8s.io"
    )
    assert 10 <= seconds < 12


def test_what_lasts_a_moment_only_is_waited_for(served: tuple[State, Path]) -> None:
    """A server of the API that restarts, again and again."""
    item = stuck(served, "NamespaceDeletionDiscoveryFailure", "failed")
    failing = item["status"]
    clock = Clock()
    for second in range(0, 40, 8):
        clock.after[second + 7.5] = lambda: item.update(status={})
        clock.after[second + 8.0] = lambda: item.update(status=failing)
    clock.after[42] = lambda: served[0].objects.pop(SPACE_PATH)
    assert waited(served, clock) == ("", 42.0)


def test_a_finalizer_is_named_with_what_it_holds(served: tuple[State, Path]) -> None:
    message = "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances"
    stuck(served, "NamespaceFinalizersRemaining", message)
    apply(served, [config_map("held"), config_map("other")])
    held = served[0].objects[f"{SPACE_PATH}/configmaps/held"]["metadata"]
    held["finalizers"] = ["example.org/hold", "kubernetes.io/pvc-protection"]
    said, seconds = waited(served)
    assert "found finalizer example.org/hold on ConfigMap held; expected" in said and "other" not in said
    assert "kubectl -n demo patch configmaps held --type merge" in said and "pvc-protection" not in said
    assert 20 <= seconds < 22


def test_finalizers_of_kubernetes_own_have_all_the_time(served: tuple[State, Path]) -> None:
    names = ("foregroundDeletion", "kubernetes.io/pvc-protection")
    message = f"finalizers remaining: {', '.join(f'{name} in 1 resource instances' for name in names)}"
    stuck(served, "NamespaceFinalizersRemaining", message)
    said, seconds = waited(served)
    assert "foregroundDeletion" in said and seconds >= TIMEOUT


def test_a_webhook_is_named_with_its_configuration(served: tuple[State, Path]) -> None:
    kind, plural = "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"
    message = (
        'Failed to delete all resource types, 1 remaining: failed calling webhook "deny.example.org": no endpoints'
    )
    stuck(served, "NamespaceDeletionContentFailure", message)
    served[0].kinds["admissionregistration.k8s.io/v1"] = {kind: (plural, False)}
    served[0].objects[f"/apis/admissionregistration.k8s.io/v1/{plural}/guard"] = {
        "kind": kind,
        "metadata": {"name": "guard"},
        "webhooks": [{"name": "deny.example.org"}],
    }
    said, seconds = waited(served)
    assert "webhook deny.example.org of ValidatingWebhookConfiguration guard: Failed to delete" in said
    assert "kubectl delete validatingwebhookconfiguration guard" in said and 10 <= seconds < 12


@pytest.mark.parametrize(
    ("condition", "message", "expected"),
    [
        ("NamespaceContentRemaining", "Some resources are remaining: configmaps.", "(ConfigMap left)"),
        ("NamespaceDeletionContentFailure", "unexpected items still remain in namespace", "unexpected items"),
        ("", "", "status: found it still there, with no condition that says why"),
    ],
)
def test_what_may_still_go_is_named_when_time_is_up(
    served: tuple[State, Path], condition: str, message: str, expected: str
) -> None:
    stuck(served, condition, message)
    apply(served, [config_map("left")])
    said, seconds = waited(served)
    assert said.startswith("Namespace demo: ") and expected in said and ". Try: kubectl" in said and seconds >= TIMEOUT


def test_finalizers_of_the_namespace_itself_are_named(served: tuple[State, Path]) -> None:
    stuck(served, "", "")["metadata"]["finalizers"] = ["example.org/keep"]
    said, seconds = waited(served)
    assert "found example.org/keep on the namespace itself" in said and 20 <= seconds < 22


def test_its_own_words_have_to_do_when_nothing_more_can_be_read(served: tuple[State, Path]) -> None:
    stuck(served, "NamespaceDeletionDiscoveryFailure", "metrics.k8s.io/v1beta1 does not answer")
    served[0].kinds["apiregistration.k8s.io/v1"] = {"APIService": ("apiservices", False)}
    served[0].pages["/apis/apiregistration.k8s.io/v1/apiservices"] = lambda path, query: (403, {"message": "no"})
    assert "found metrics.k8s.io/v1beta1 does not answer; expected" in waited(served)[0]


def test_all_that_is_left_is_reported_when_one_is_held(served: tuple[State, Path]) -> None:
    apply(served, [DEFINITION])
    stuck(served, "NamespaceDeletionGroupVersionParsingFailure", "odd")
    definition = Key("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.org")
    said, seconds = waited(served, None, definition)
    assert "found odd; expected" in said and f"{definition}: found it still there" in said and seconds < 12


def test_a_namespace_is_removed_with_its_reason(served: tuple[State, Path]) -> None:
    apply(served, [SPACE])
    assert removal.remove_namespace(client(served), "demo", 5) == []
    assert removal.remove_namespace(client(served), "demo", 5) == [], "there was none"
    stuck(served, "NamespaceContentRemaining", "pods")
    (line,) = removal.remove_namespace(client(served), "demo", 0)
    assert line.startswith("Namespace demo: NamespaceContentRemaining: found pods")
