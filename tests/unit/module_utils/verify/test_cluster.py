"""verify_cluster: errors in the API's own words, waiting, and removal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import cluster as verify_cluster
from ansible_collections.twinstack.core.plugins.module_utils.verify import objects as verify_objects
from kubernetes.client.exceptions import ApiException

from tests.unit.kube_server import api_server


def test_an_error_is_told_in_the_apis_words() -> None:
    error = ApiException(status=422, reason="Unprocessable")
    error.body = json.dumps({"message": 'spec.ipFamilies: "IPv6" is not configured'})
    assert verify_cluster.reason(error) == 'spec.ipFamilies: "IPv6" is not configured'
    error.body = "no JSON"
    assert verify_cluster.reason(error) == "Unprocessable"
    assert verify_cluster.reason(OSError("connection refused")) == "connection refused"


def test_waiting_ends_when_it_is_true_or_late() -> None:
    answers = [False, False, True]
    assert verify_cluster.wait_until(lambda: answers.pop(0), 10)
    assert not verify_cluster.wait_until(lambda: False, 0)


@pytest.mark.parametrize("waited", [False, True])
def test_what_was_created_goes_and_nothing_else(tmp_path: Path, waited: bool) -> None:
    """The namespace is told first; what is in it goes while its controller pauses."""
    path = "/api/v1/namespaces/twinstack-verify"
    with api_server(tmp_path) as (state, config):
        labels = {verify_objects.LABEL: "true"}
        state.objects[path] = {"kind": "Namespace", "metadata": {"name": "twinstack-verify", "labels": labels}}
        state.objects["/api/v1/namespaces/other"] = {"kind": "Namespace", "metadata": {"name": "other", "labels": {}}}
        api = verify_cluster.Api(str(config), None)
        if waited:
            assert api.remove(5) == []
        else:
            api.start_removal()
        deleted = [line for line in state.asked if line.startswith("DELETE")]
        assert deleted[0].startswith(f"DELETE {path}")
        assert len(deleted) == 5 and all(line.startswith("DELETE /ap") for line in deleted)
        assert all("/twinstack-verify" in line for line in deleted)
        assert list(state.objects) == ["/api/v1/namespaces/other"]
