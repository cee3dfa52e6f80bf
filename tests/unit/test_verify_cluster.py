"""verify_cluster: errors in the API's own words, and waiting."""

from __future__ import annotations

import json

from ansible_collections.twinstack.core.plugins.module_utils import verify_cluster
from kubernetes.client.exceptions import ApiException


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
