"""kube.errors: the best known reason of an error, and the message when a library is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, RefusedError, reason
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import MaxRetryError, ProtocolError
from websocket import WebSocketException

from tests.conftest import ROOT, run
from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import client, config_map


def test_an_error_is_reported_in_the_words_of_who_knows_best(served: tuple[State, Path]) -> None:
    told = 'spec.ipFamilies: "IPv6" is not configured'
    served[0].refuse["/api/v1/configmaps"] = [(422, told)]
    with pytest.raises(API_ERRORS) as refused:
        client(served).create("/api/v1/configmaps", config_map("a"))
    assert isinstance(refused.value, RefusedError) and reason(refused.value) == told
    served[0].pages["/nothing"] = lambda path, query: (503, b"")
    with pytest.raises(RefusedError) as silent:
        client(served).request("GET", "/nothing")
    assert reason(silent.value) == "Service Unavailable", "without a word of the server's own"
    assert reason(OSError("connection refused")) == "connection refused"
    assert reason(ApiException(status=0, reason="Handshake status 404")) == "Handshake status 404"
    assert reason(MaxRetryError(None, "/", ProtocolError("broken"))) == "broken"  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [OSError(), ProtocolError(), WebSocketException(), RefusedError(500, "")])
def test_what_a_request_may_raise_is_one_list(error: Exception) -> None:
    assert isinstance(error, API_ERRORS)


@pytest.mark.parametrize("library", ["kubernetes", "yaml"])
@pytest.mark.parametrize("module", ["apply", "verify", "proxy_config"])
def test_a_missing_library_is_reported_by_the_module(library: str, module: str, tmp_path: Path) -> None:
    """Instead of a traceback of an import, whichever module is used."""
    needed: dict[str, dict[str, object]] = {
        "apply": {},
        "verify": {"image": "agnhost"},
        "proxy_config": {"namespace": "a", "pod": "b", "container": "c", "outbound": 1, "hosts": 1, "addresses": 1},
    }
    arguments = {"kubeconfig": str(tmp_path / "none"), **needed[module]}
    (tmp_path / "start.py").write_text(
        f"""
import runpy, sys
sys.path.insert(0, {str(ROOT / "collections")!r})
sys.modules[{library!r}] = None
runpy.run_module("ansible_collections.twinstack.core.plugins.modules.{module}", run_name="__main__")
""",
        encoding="utf-8",
    )
    done = run(sys.executable, tmp_path / "start.py", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    assert done.code == 1
    assert "Failed to import the required Python library (kubernetes, PyYAML)" in done.output
