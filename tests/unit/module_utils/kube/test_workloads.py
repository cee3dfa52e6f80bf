"""When a Deployment is ready, and when it never will be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import workloads

from tests.unit.module_utils.istio.release_samples import deployment, owned, waiting

SET = owned("ReplicaSet", "web-2", ("Deployment", "web"), {}, revision="1")
OLD = owned("ReplicaSet", "web-1", ("Deployment", "web"), {}, revision="0")


def pod(status: dict[str, Any], by: str = "web-2", **metadata: Any) -> dict[str, Any]:
    """A pod of a ReplicaSet."""
    found = owned("Pod", f"{by}-x", ("ReplicaSet", by), status)
    found["metadata"] |= metadata
    return found


def judged(*pods: dict[str, Any], **status: Any) -> list[tuple[str, bool]]:
    """Troubles of a Deployment that is not ready."""
    item = deployment("web", ready=False)
    item["status"] |= status
    return [(one.text, one.lasting) for one in workloads.troubles(item, [OLD, SET], pods)]


def test_a_deployment_is_ready_when_all_its_newest_pods_are_available() -> None:
    assert workloads.late(deployment("web")) == ""
    assert workloads.late(None) == "not there"
    assert "0 ready" in workloads.late(deployment("web", ready=False))
    item = deployment("web")
    item["status"]["availableReplicas"] = 0
    assert workloads.late(item) == "0 of 1 available"
    item["metadata"]["generation"] = 2
    assert "has not seen the newest version" in workloads.late(item)


@pytest.mark.parametrize(
    ("reason", "restarts", "lasting"),
    [
        ("InvalidImageName", 0, True),
        ("ErrImageNeverPull", 0, True),
        ("ErrImagePull", 0, False),
        ("ImagePullBackOff", 0, False),
        ("CreateContainerConfigError", 0, False),
        ("CrashLoopBackOff", 2, None),
        ("CrashLoopBackOff", 3, True),
        ("ContainerCreating", 0, None),
        ("PodInitializing", 0, None),
    ],
)
def test_what_a_container_waits_for_tells_whether_it_will_start(
    reason: str, restarts: int, lasting: bool | None
) -> None:
    found = judged(pod(waiting(reason, "because", restarts)))
    if lasting is None:
        assert found == []
    else:
        assert [one[1] for one in found] == [lasting]
        assert found[0][0].startswith(f"pod web-2-x: container basket: {reason}: because")


def test_a_quota_or_an_admission_that_refuses_pods_is_quoted() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    item = owned("ReplicaSet", "web-2", ("Deployment", "web"), {"conditions": [refused]})
    found = workloads.troubles(deployment("web", ready=False), [item], [])
    assert found == [workloads.Trouble("no pods: FailedCreate: exceeded quota", lasting=False)]


def test_a_deadline_that_passed_is_the_end() -> None:
    passed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert judged(conditions=[passed]) == [("ProgressDeadlineExceeded: timed out", True)]


def test_pods_of_an_older_template_of_others_and_those_that_leave_say_nothing() -> None:
    broken = waiting("InvalidImageName")
    assert judged(pod(broken, by="web-1"), pod(broken, by="other-1")) == []
    assert judged(pod(broken, deletionTimestamp="2026-11-28T00:00:00Z")) == []
    assert judged(pod(broken), observedGeneration=0) == [], "the controller has not seen the newest template"
    assert judged(pod(broken, namespace="elsewhere")) == []
    assert workloads.troubles(None, [], []) == [workloads.Trouble("not there", lasting=True)]
