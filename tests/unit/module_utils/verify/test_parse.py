"""What programs print, and the verdicts from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Query, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import (
    NO_PING,
    Request,
    judge_fetch,
    judge_ping,
    judge_query,
    parse_curl,
    parse_dns,
    peer_address,
    split_output,
)

from tests.unit.module_utils.verify.samples import ANSWERED

# --- the answer as a whole ------------------------------------------------------------------------------------


def test_output_by_file() -> None:
    text = "curl:1\t200\nb1:[fd66::11]:4711\nq2:;; Query time: 1 msec\n@END@\n"
    assert split_output(text) == {"curl": ["1\t200"], "b1": ["[fd66::11]:4711"], "q2": [";; Query time: 1 msec"]}


@pytest.mark.parametrize("text", ["", "curl:1\t200\n", "sh: curl: not found"])
def test_a_cut_off_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cut off"):
        split_output(text)


# --- curl -----------------------------------------------------------------------------------------------------

CURL = [
    "1\t200\t0\t0.001458\t10.244.1.4\t10.244.2.4\t0\t11\t",
    "2\t000\t28\t2.001000\t\t\t0\t0\tConnection timed out after 2001 milliseconds",
    "3\t200\t0\t0.020000\tfd66:244::4\tfd66:244:0:2::4\t131076\t131072\t",
    "4\t401\t0\t0.004000\t10.244.1.4\t10.96.0.1\t0\t90\t",
    "garbage",
    "5\t200\t0\t0.020000\tfd66:244::4\tfd66:244:0:2::4\t131076\t40\t",
]


def fetched(key: int, action: Fetch, *body: str) -> Verdict:
    return judge_fetch(action, parse_curl(CURL).get(key), body, {"curl_errors": ["curl: option x: is unknown"]})


def test_curl_reports_by_number() -> None:
    assert sorted(parse_curl(CURL)) == [1, 2, 3, 4, 5]


def test_the_right_pod_answers() -> None:
    verdict = fetched(1, Fetch("http://x", bodies=frozenset({"pod-b", "pod-c"})), "pod-b")
    assert (verdict.ok, verdict.milliseconds) == (True, 1.5)
    assert fetched(1, Fetch("http://x", bodies=frozenset({"pod-c"})), "pod-b").detail == (
        "found answer 'pod-b', expected pod-c"
    )


def test_the_source_address_counts() -> None:
    action = Fetch("http://x", bodies=frozenset({"10.66.0.11"}), source=True)
    assert fetched(1, action, "10.66.0.11:51234").ok
    wrong = fetched(1, action, "10.244.1.4:51234")
    assert (wrong.ok, wrong.detail) == (False, "found source address '10.244.1.4', expected 10.66.0.11")


def test_a_timeout_is_reported_in_curls_words() -> None:
    verdict = fetched(2, Fetch("http://x"))
    assert (verdict.ok, verdict.detail) == (False, "curl 28: Connection timed out after 2001 milliseconds")


def test_large_transfers_count_bytes_both_ways() -> None:
    assert fetched(3, Fetch("http://x", large=True)).ok
    assert "expected 131072 each way" in fetched(5, Fetch("http://x", large=True)).detail


def test_another_status_fails() -> None:
    verdict = fetched(4, Fetch("https://x"), '{"message": "Unauthorized"}')
    assert not verdict.ok
    assert "found HTTP 401 from 10.96.0.1" in verdict.detail


def test_no_report_is_a_failure_with_curls_complaint() -> None:
    assert fetched(9, Fetch("http://x")) == Verdict(False, "curl: option x: is unknown")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.66.0.11:4711", "10.66.0.11"),
        ("[fd66::11]:4711", "fd66::11"),
        ("[fe80::1%eth0]:4711", "fe80::1"),
        ("[::ffff:10.66.0.11]:4711", "10.66.0.11"),
        ("::ffff:10.66.0.11", "10.66.0.11"),
        ("fd66::11", "fd66::11"),
        ("404 page not found", "404 page not found"),
    ],
)
def test_peer_addresses(text: str, address: str) -> None:
    assert peer_address(text) == address


# --- DNS ------------------------------------------------------------------------------------------------------

DRILL = """\
;; ->>HEADER<<- opcode: QUERY, rcode: NOERROR, id: 5271
;; flags: qr aa rd ; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 0 
;; QUESTION SECTION:
;; headless.twinstack-verify.svc.cluster.local.	IN	AAAA

;; ANSWER SECTION:
headless.twinstack-verify.svc.cluster.local.	30	IN	AAAA	fd66:244:0:1::4
headless.twinstack-verify.svc.cluster.local.	30	IN	AAAA	fd66:244:0:2:0:0:0:4

;; AUTHORITY SECTION:

;; ADDITIONAL SECTION:

;; Query time: 3 msec
;; SERVER: fd66:96::a
;; WHEN: Tue Nov 24 05:10:11 2026
;; MSG SIZE  rcvd: 169
""".splitlines()  # noqa: W291

DIG = """\
; <<>> DiG 9.18.24 <<>> +time=2 +tries=1 @10.96.0.10 only-ipv4.twinstack-verify.svc.cluster.local. AAAA
; (1 server found)
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 40127
;; flags: qr aa rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
;; WARNING: recursion requested but not available

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;only-ipv4.twinstack-verify.svc.cluster.local. IN AAAA

;; AUTHORITY SECTION:
cluster.local.		30	IN	SOA	ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30

;; Query time: 0 msec
;; SERVER: 10.96.0.10#53(10.96.0.10) (UDP)
""".splitlines()

DIG_DEAD = [
    ";; communications error to fd66:96::a#53: timed out",
    "",
    "; <<>> DiG 9.18.24 <<>> +time=2 +tries=1 @fd66:96::a a.b. A",
    "; (1 server found)",
    ";; global options: +cmd",
    ";; no servers could be reached",
]


def test_drill_answers() -> None:
    answer = parse_dns(DRILL)
    assert answer.status == "NOERROR"
    assert answer.addresses == {"fd66:244:0:1::4", "fd66:244:0:2::4"}
    assert answer.milliseconds == 3


def test_dig_answers_with_nothing() -> None:
    answer = parse_dns(DIG)
    assert (answer.status, answer.addresses, answer.milliseconds) == ("NOERROR", frozenset(), 0)


def test_the_last_server_counts() -> None:
    assert parse_dns(DIG_DEAD + DRILL).addresses == parse_dns(DRILL).addresses
    assert parse_dns(DRILL + DIG).addresses == frozenset()


def test_exactly_the_expected_set() -> None:
    both = frozenset({"fd66:244:0:1::4", "fd66:244:0:2::4"})
    assert judge_query(Query("", "AAAA", "x.", both), DRILL).ok
    less = judge_query(Query("", "AAAA", "x.", frozenset({"fd66:244:0:1::4"})), DRILL)
    assert less.detail == "found NOERROR with fd66:244:0:1::4, fd66:244:0:2::4, expected NOERROR with fd66:244:0:1::4"
    assert judge_query(Query("", "AAAA", "x.", frozenset()), DIG).ok
    assert not judge_query(Query("", "AAAA", "x.", both), DIG).ok


def test_nxdomain_fails_even_when_nothing_is_expected() -> None:
    lines = [line.replace("NOERROR", "NXDOMAIN") for line in DIG]
    assert not judge_query(Query("", "AAAA", "x.", frozenset()), lines).ok


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (DIG_DEAD, "no servers could be reached"),
        ([";; no answer in time"], "no answer in time"),
        (["Error: error sending query: Could not send or receive, because of network error"], "network error"),
        ([], "nothing"),
    ],
)
def test_a_silent_server_fails(lines: list[str], part: str) -> None:
    verdict = judge_query(Query("fd66:96::a", "A", "a.b.", frozenset()), lines)
    assert not verdict.ok
    assert part in verdict.detail


# --- ping -----------------------------------------------------------------------------------------------------

PING = [
    "mtu 1430",
    "PING fd66:244:0:2::4 (fd66:244:0:2::4) 1382 data bytes",
    "1390 bytes from fd66:244:0:2::4: icmp_seq=1 ttl=62 time=0.812 ms",
    "",
    "--- fd66:244:0:2::4 ping statistics ---",
    "1 packets transmitted, 1 received, 0% packet loss, time 0ms",
]
PING_TOO_BIG = [
    "mtu 1500",
    "PING 10.244.2.4 (10.244.2.4) 1472(1500) bytes of data.",
    "From 10.66.0.11 icmp_seq=1 Frag needed and DF set (mtu = 1450)",
    "",
    "--- 10.244.2.4 ping statistics ---",
    "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms",
]


def test_ping_of_full_size() -> None:
    assert judge_ping(PING) == Verdict(True, "packet of 1430 bytes, not fragmented", 0.812)


def test_ping_that_does_not_fit() -> None:
    verdict = judge_ping(PING_TOO_BIG)
    assert not verdict.ok
    assert verdict.detail == (
        "packet of 1500 bytes got no answer: From 10.66.0.11 icmp_seq=1 Frag needed and DF set (mtu = 1450)"
    )


def test_ping_without_answer() -> None:
    verdict = judge_ping([*PING[:2], "", "1 packets transmitted, 0 received, 100% packet loss, time 0ms"])
    assert verdict.detail == "packet of 1430 bytes got no answer: 1 sent, 0 received"


def test_ping_without_route() -> None:
    verdict = judge_ping(["ping: connect: Network is unreachable"])
    assert verdict.detail == "echo request got no answer: ping: connect: Network is unreachable"


def test_ping_that_is_not_there_is_no_failure() -> None:
    assert judge_ping([NO_PING]).skip


# --- what proxies do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "ok"),
    [
        (replace(ANSWERED, exit_code=56, error="Connection reset by peer"), True),
        (replace(ANSWERED, exit_code=52, error="Empty reply from server"), True),
        (replace(ANSWERED, exit_code=28, error="timed out"), False),
        (replace(ANSWERED, exit_code=7, error="Connection refused"), False),
        (ANSWERED, False),
    ],
)
def test_only_a_broken_connection_is_a_refusal(told: Request, ok: bool) -> None:
    assert judge_fetch(Fetch("http://x/", refused=True), told, [], {}).ok is ok


def test_an_answer_must_hold_what_the_proxies_add() -> None:
    action = Fetch("http://x/", contains=("spiffe://",))
    assert judge_fetch(action, ANSWERED, ["By=spiffe://cluster.local/ns/x/sa/y;Hash=1"], {}).ok
    verdict = judge_fetch(action, ANSWERED, [""], {})
    assert not verdict.ok
    assert "expected spiffe:// in it" in verdict.detail
