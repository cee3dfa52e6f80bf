"""Batches: what the shell gets, and what it does over both loopbacks."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Action, Fetch, Ping, Query, Redirects
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import (
    ECHO_OVERHEAD,
    SCRIPT,
    batch,
    curl_config,
)

from tests.unit.module_utils.verify.shell import run


def test_one_batch_verifies_many_things_in_both_families(ports: dict[str, int]) -> None:
    ipv4, ipv6 = f"http://127.0.0.1:{ports['IPv4']}", f"http://[::1]:{ports['IPv6']}"
    verdicts = run(
        {
            0: Fetch(f"{ipv4}/a", bodies=frozenset({"/a"})),
            1: Fetch(f"{ipv6}/b", bodies=frozenset({"/b"})),
            2: Fetch(f"{ipv6}/c", bodies=frozenset({"/d"})),
            3: Fetch(f"{ipv4}/echo", large=True),
            4: Fetch(f"{ipv6}/echo", large=True),
            5: Fetch(f"http://kubernetes.default.svc:1{ports['IPv6']}"[:-1], connect_to=f"[::1]:{ports['IPv6']}"),
            6: Fetch(f"http://localhost:{ports['IPv6']}/e", "IPv6", frozenset({"/e"})),
        }
    )
    assert {key: verdict.ok for key, verdict in verdicts.items()} == {
        0: True,
        1: True,
        2: False,
        3: True,
        4: True,
        5: True,
        6: True,
    }, verdicts
    assert verdicts[2].detail == "found answer '/c', expected /d"
    assert verdicts[0].milliseconds is not None


def test_a_closed_port_fails_alone(ports: dict[str, int]) -> None:
    with socket.socket(socket.AF_INET6) as unused:
        unused.bind(("::1", 0))
        closed = unused.getsockname()[1]
        verdicts = run({0: Fetch(f"http://[::1]:{closed}/"), 1: Fetch(f"http://[::1]:{ports['IPv6']}/")})
    assert verdicts[0].detail.startswith("curl 7:")
    assert verdicts[1].ok


def test_many_requests_come_back_each_to_its_own_number(ports: dict[str, int]) -> None:
    actions: dict[int, Action] = {
        number: Fetch(f"http://[::1]:{ports['IPv6']}/{number}", bodies=frozenset({f"/{number}"}))
        for number in range(200)
    }
    assert [key for key, verdict in run(actions).items() if not verdict.ok] == []


def test_a_token_reaches_only_its_own_request() -> None:
    text = batch({0: Fetch("https://[::1]:1/", token=True), 1: Fetch("http://[::1]:1/")})
    assert text.count("Authorization") == 1
    assert text.partition("C next")[0].count("@TOKEN@") == 1


def test_the_script_is_plain_sh() -> None:
    subprocess.run(["sh", "-n", "-c", SCRIPT], check=True)


def test_questions_without_server_go_to_the_resolvers_of_the_pod() -> None:
    assert "Q 3 resolv.conf AAAA a.b.\n" in batch({3: Query("", "AAAA", "a.b.", frozenset())})


def test_requests_and_echoes_say_which_family_they_are_for() -> None:
    assert "ipv6" in curl_config(1, Fetch("http://name/", "IPv6"))
    assert not {"ipv4", "ipv6"} & set(curl_config(1, Fetch("http://[::1]/")))
    for number, address, kind in ((4, "192.0.2.1", "IPv4"), (6, "2001:db8::1", "IPv6")):
        overhead = ECHO_OVERHEAD[kind]
        assert f"P 7 -{number} {address} {overhead} own\n" in batch({7: Ping(address, own_mtu=True)})
        assert f"P 7 -{number} {address} {overhead} route\n" in batch({7: Ping(address, own_mtu=False)})
    assert (ECHO_OVERHEAD["IPv4"], ECHO_OVERHEAD["IPv6"]) == (28, 48)


def test_each_family_has_its_own_packet_filter() -> None:
    text = batch({1: Redirects("IPv4"), 2: Redirects("IPv6")})
    assert "R 1 iptables\n" in text and "R 2 ip6tables\n" in text


@pytest.mark.parametrize(
    ("fetch", "line"),
    [
        (Fetch("http://x/", send=("a: b",)), 'header = "a: b"'),
        (Fetch("http://x/", headers=True), "include"),
        (Fetch("http://x/", patient=True), "max-time = 30"),
        (Fetch("https://x/", connect_to="[::1]:6443"), 'connect-to = "::[::1]:6443"'),
        (Fetch("https://x/", authority="PEM"), 'cacert = "authority1"'),
        (Fetch("https://x/", verify=False), "insecure"),
    ],
)
def test_what_a_request_asks_of_curl(fetch: Fetch, line: str) -> None:
    assert line in curl_config(1, fetch)
    assert line not in curl_config(1, Fetch("https://x/"))


def test_a_batch_ends_at_its_mark_and_leaves_no_file_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", SCRIPT],
        input=batch({}) + "Q 2 ::1 A a.\n",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1] == "@END@"
    assert "q2" not in done.stdout, "what follows the mark is no part of the batch"
    assert list(tmp_path.iterdir()) == []
