"""The program that sends requests over the family that each names, for real."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import http_probe


def test_requests_go_over_the_family_that_they_name(port: int) -> None:
    requests = [
        {
            "id": 0,
            "url": "http://x.example/a?b=c",
            "family": "IPv4",
            "connect": f"127.0.0.1:{port}",
            "find": ["x.ex", "no"],
        },
        {
            "id": 1,
            "url": "http://x.example/",
            "family": "IPv6",
            "connect": f"[::1]:{port}",
            "headers": {"version": "v2"},
        },
        {"id": 2, "url": "http://x.example/", "family": "IPv6", "connect": "127.0.0.1:1", "timeout": 1},
        {"id": 3, "url": "http://x.example/", "family": "", "connect": f"localhost:{port}"},
    ]
    done = subprocess.run(
        [sys.executable, http_probe.__file__],
        input=json.dumps(requests) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    four, six, none, either = json.loads(done.stdout)
    assert (four["status"], four["text"]) == (200, "::ffff:127.0.0.1 None x.example /a?b=c")
    assert four["found"] == {"x.ex": True, "no": False}
    assert six["text"].startswith("::1 v2 ")
    assert none["status"] == 0 and none["error"]
    assert four["tried"] and not none["tried"], "an address of the other family is none to try"
    assert either["status"] == 200


@pytest.mark.parametrize(("family", "address"), [("IPv4", "127.0.0.1"), ("IPv6", "::1")])
def test_a_port_where_nobody_listens_was_tried_and_is_an_error(family: str, address: str) -> None:
    kind = socket.AF_INET6 if family == "IPv6" else socket.AF_INET
    with socket.socket(kind) as unused:
        unused.bind((address, 0))
        where = f"[{address}]" if family == "IPv6" else address
        found = http_probe.send({"id": 7, "url": f"http://{where}:{unused.getsockname()[1]}/", "family": family})
    assert (found["id"], found["status"], found["tried"], found["text"]) == (7, 0, True, "")
    assert found["error"] and found["milliseconds"] >= 0


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_an_address_of_the_other_family_is_never_connected_to(port: int, family: str) -> None:
    other = {"IPv4": "[::1]", "IPv6": "127.0.0.1"}[family]
    found = http_probe.send({"id": 0, "url": f"http://{other}:{port}/", "family": family})
    assert (found["status"], found["tried"]) == (0, False)
    assert http_probe.send({"id": 0, "url": f"http://{other}:{port}/", "family": ""})["status"] == 200


def test_a_long_answer_is_searched_whole_and_shown_in_part(port: int) -> None:
    path = "/" + "x" * http_probe.MOST_TEXT + "end"
    found = http_probe.send({"id": 0, "url": f"http://[::1]:{port}{path}", "family": "IPv6", "find": ["xend", "no"]})
    assert len(found["text"]) == http_probe.MOST_TEXT and "xend" not in found["text"]
    assert found["found"] == {"xend": True, "no": False}


def test_it_needs_nothing_but_the_standard_library() -> None:
    """It is sent as text to pods whose Python has nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", http_probe.__file__], input="[]\n", capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
