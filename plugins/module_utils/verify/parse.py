"""What the shell's answer says about each probe. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twinstack.core.plugins.module_utils.families import endpoint, family_of, is_address
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Action,
    Fetch,
    Known,
    Listens,
    NoServers,
    Ping,
    Query,
    Redirects,
    Servers,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import CURL_FIELDS, END_MARK, LARGE_BYTES

NO_PING = "found no iputils ping in the image"
# curl: empty reply, failure to send, failure to receive.
BROKEN_OFF = (52, 55, 56)
# What a proxy listens at for what leaves its pod and for what comes in (Istio: Application Requirements, ports).
PROXY_PORTS = {15001: "outbound", 15006: "inbound"}
REDIRECT = re.compile(r"(?:REDIRECT --to-ports |redirect to :)(\d+)")
# The kernel's tables of sockets, and whether a socket of IPv6 is for IPv6 alone unless its program says otherwise.
SOCKET_FILES = ("/proc/net/tcp", "/proc/net/tcp6", "/proc/sys/net/ipv6/bindv6only")
SOCKETS = "sockets"
# Addresses are written in groups of four bytes, the last byte of each first.
LOOPBACK4, LOOPBACK6, MAPPED = "7F", "0" * 24 + "01000000", "0" * 16 + "FFFF0000"
LISTEN = "0A"  # kernel: include/net/tcp_states.h, TCP_LISTEN
SHOWN_BODY = 120  # characters of an unexpected answer that a person gets to see


@dataclass(frozen=True)
class Request:
    """What curl reported about one request. exit_code: curl's, 0 = the exchange itself went well."""

    code: int
    exit_code: int
    milliseconds: float
    local: str
    remote: str
    sent: int
    received: int
    error: str


@dataclass(frozen=True)
class Answer:
    """DNS: status is NOERROR, NXDOMAIN …, empty when no server answered."""

    status: str
    addresses: frozenset[str]
    milliseconds: float | None


Table = dict[str, frozenset[str]]


def split_output(text: str) -> dict[str, list[str]]:
    """The shell's output by file. Raises ValueError when its end is missing: the shell was cut off."""
    lines = text.splitlines()
    if not lines or lines[-1].strip() != END_MARK:
        raise ValueError(f"the answer was cut off after {len(lines)} lines: {text[-SHOWN_BODY:].strip()!r}")
    files: dict[str, list[str]] = {}
    for line in lines[:-1]:
        name, colon, content = line.partition(":")
        if colon:
            files.setdefault(name, []).append(content)
    return files


def parse_curl(lines: Sequence[str]) -> dict[int, Request]:
    """curl's report by probe number (`CURL_FIELDS`)."""
    found = {}
    for line in lines:
        parts = line.split("\t", len(CURL_FIELDS))
        if len(parts) != len(CURL_FIELDS) + 1 or not parts[0].isdigit():
            continue
        key, code, exit_code, seconds, local, remote, sent, received, error = parts
        found[int(key)] = Request(
            int(code), int(exit_code), float(seconds) * 1000, local, remote, int(sent), int(received), error.strip()
        )
    return found


def parse_dns(lines: Sequence[str]) -> Answer:
    """The last answer of dig or drill; both print the same header, answer lines and time, in other words."""
    status, elapsed = "", None
    addresses: set[str] = set()
    section = ""
    for line in lines:
        header = re.match(r";; ->>HEADER<<-.*\b(?:status|rcode): (\w+)", line)
        if header:
            status, addresses, section = header[1], set(), ""
            continue
        title = re.match(r";; (\w+) SECTION:", line)
        if title:
            section = title[1]
            continue
        spent = re.match(r";; Query time: (\d+) msec", line)
        if spent:
            elapsed = float(spent[1])
        record = re.match(r"[^;\s]\S*\s+\d+\s+IN\s+(?:A|AAAA)\s+(\S+)", line)
        if record and section == "ANSWER" and is_address(record[1]):
            addresses.add(str(ipaddress.ip_address(record[1])))
    return Answer(status, frozenset(addresses), elapsed)


def parse_ip_vs(lines: Sequence[str]) -> Table:
    """/proc/net/ip_vs as ``TCP 10.96.0.1:443`` -> real servers that take new connections (weight above 0).

    Addresses are hexadecimal; IPv6 ones in brackets and in full (kernel: net/netfilter/ipvs/ip_vs_ctl.c,
    ip_vs_info_seq_show).
    """
    table: dict[str, frozenset[str]] = {}
    current = ""
    for line in lines:
        words = line.split()
        if len(words) >= 3 and words[0] in ("TCP", "UDP", "SCTP"):
            current = f"{words[0]} {_hex_endpoint(words[1])}"
            table.setdefault(current, frozenset())
        elif words and words[0] == "FWM":
            current = ""
        elif len(words) >= 4 and words[0] == "->" and current and words[3].isdigit() and int(words[3]) > 0:
            table[current] = table[current] | {_hex_endpoint(words[1])}
    return table


def _hex_endpoint(text: str) -> str:
    host, _, port = text.rpartition(":")
    if host.startswith("["):
        return endpoint(host[1:-1], int(port, 16))
    return endpoint(str(ipaddress.IPv4Address(int(host, 16))), int(port, 16))


# --- verdicts -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """One shell's whole answer, parsed once."""

    files: Mapping[str, Sequence[str]]
    requests: Mapping[int, Request]
    table: Table


def parse_output(text: str) -> Output:
    """Raises ValueError when the answer is not whole."""
    files = split_output(text)
    return Output(files, parse_curl(files.get("curl", [])), parse_ip_vs(files.get("ip_vs", [])))


def judge(key: int, action: Action, output: Output) -> Verdict:
    """How the action with this number ended."""
    if isinstance(action, Fetch):
        return judge_fetch(action, output.requests.get(key), output.files.get(f"b{key}", []), output.files)
    if isinstance(action, Query):
        return judge_query(action, output.files.get(f"q{key}", []))
    if isinstance(action, Ping):
        return judge_ping(output.files.get(f"p{key}", []))
    if isinstance(action, Redirects):
        return judge_redirects(output.files.get(f"r{key}", []))
    if isinstance(action, Listens):
        return judge_listens(action, output.files)
    if isinstance(action, Servers):
        return judge_servers(action, output.table)
    if isinstance(action, NoServers):
        return judge_no_servers(action, output.table)
    return known(action)


def known(action: Known) -> Verdict:
    """What was clear without running anything."""
    return Verdict(action.ok, action.detail)


def judge_fetch(
    action: Fetch, request: Request | None, body: Sequence[str], files: Mapping[str, Sequence[str]]
) -> Verdict:
    """HTTP status, transfer sizes, and the answer itself where it matters."""
    if request is None:
        errors = " ".join(files.get("curl_errors", [])).strip()
        return Verdict(False, errors or "curl reported nothing about this request")
    if action.refused:
        return _judge_refused(request)
    if request.exit_code:
        return Verdict(False, f"curl {request.exit_code}: {request.error or 'no reason given'}")
    text = " ".join(body).strip()
    taken = round(request.milliseconds, 1)
    if request.code not in action.codes:
        wanted = " or ".join(str(code) for code in sorted(action.codes))
        said = f"found HTTP {request.code} from {request.remote}, expected {wanted}: {text[:SHOWN_BODY]}"
        return Verdict(False, said, taken)
    if action.large:
        return _judge_large(request, taken)
    seen = peer_address(text) if action.source else text
    if action.bodies and seen not in action.bodies:
        what = "source address" if action.source else "answer"
        wanted = " or ".join(sorted(action.bodies))
        return Verdict(False, f"found {what} {seen[:SHOWN_BODY]!r}, expected {wanted}", taken)
    lacking = [part for part in action.contains if part not in text]
    if lacking:
        return Verdict(False, f"found {text[:SHOWN_BODY]!r}, expected {', '.join(lacking)} in it", taken)
    if action.source:
        return Verdict(True, f"seen by {request.remote} as {seen}", taken)
    return Verdict(True, f"{request.local} to {request.remote}: {text[:SHOWN_BODY] or f'HTTP {request.code}'}", taken)


def _judge_refused(request: Request) -> Verdict:
    """A connection that was opened and then broken off without an answer; silence is no refusal."""
    taken = round(request.milliseconds, 1)
    if request.exit_code in BROKEN_OFF:
        return Verdict(True, f"refused: {request.error or 'connection broken off'}", taken)
    if request.exit_code:
        return Verdict(False, f"found curl {request.exit_code}: {request.error}, expected a refusal", taken)
    return Verdict(False, f"found HTTP {request.code} from {request.remote}, expected a refusal", taken)


def _judge_large(request: Request, taken: float) -> Verdict:
    sizes = f"{request.sent} bytes there, {request.received} bytes back"
    ok = request.sent >= LARGE_BYTES and request.received >= LARGE_BYTES
    return Verdict(ok, sizes if ok else f"found {sizes}, expected {LARGE_BYTES} each way", taken)


def peer_address(text: str) -> str:
    """The address of ``10.0.0.1:1234`` or ``[fd00::1]:1234`` or a bare address; the text itself when it is neither."""
    host = text if is_address(text) else text.rpartition(":")[0].strip("[]").partition("%")[0]
    if not is_address(host):
        return text
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def judge_query(action: Query, lines: Sequence[str]) -> Verdict:
    """Status NOERROR with exactly the expected set of addresses."""
    answer = parse_dns(lines)
    if not answer.status:
        said = next((line.strip("; ") for line in reversed(lines) if line.strip("; ")), "nothing")
        return Verdict(False, f"no answer: {said[:SHOWN_BODY]}")
    shown = ", ".join(sorted(answer.addresses)) or "no address"
    if answer.status != "NOERROR" or answer.addresses != action.answers:
        wanted = ", ".join(sorted(action.answers)) or "no address"
        said = f"found {answer.status} with {shown}, expected NOERROR with {wanted}"
        return Verdict(False, said, answer.milliseconds)
    return Verdict(True, f"{action.kind}: {shown}", answer.milliseconds)


def judge_ping(lines: Sequence[str]) -> Verdict:
    """One answer to the full-size packet."""
    text = "\n".join(lines)
    if NO_PING in text:
        return Verdict(False, NO_PING, skip=True)
    size = re.search(r"^mtu (\d+)", text)
    answered = re.search(r"time[=<]([\d.]+) ms", text)
    if size and answered:
        return Verdict(True, f"packet of {size[1]} bytes, not fragmented", float(answered[1]))
    # "From 10.0.0.1 icmp_seq=1 Frag needed" or "ping: connect: Network is unreachable" say more than the statistics.
    told = [line for line in lines if re.search(r"(?i)\bfrom .*(?:frag|too big|unreach)|^ping:|error", line)]
    what = f"packet of {size[1]} bytes" if size else "echo request"
    return Verdict(False, f"{what} got no answer: {told[0].strip() if told else '1 sent, 0 received'}")


def judge_redirects(lines: Sequence[str]) -> Verdict:
    """Rules of iptables, or of nftables in its own words, that lead to both of the proxy's ports."""
    ports = {int(port) for line in lines for port in REDIRECT.findall(line)}
    lacking = [f"{what} TCP (to port {port})" for port, what in PROXY_PORTS.items() if port not in ports]
    if lacking:
        told = next((line for line in lines if "ermission" in line or "not found" in line), "")
        return Verdict(False, f"found no rule that redirects {' and '.join(lacking)}{told and ': ' + told.strip()}")
    return Verdict(True, f"TCP is redirected to ports {', '.join(map(str, PROXY_PORTS))}")


def listening_families(lines: Sequence[str], port: int) -> set[str]:
    """Families in which something listens on a TCP port, by `SOCKET_FILES` of a network namespace one after the other.

    A socket on ``::`` takes IPv4 too unless the namespace says otherwise; that a program has said so itself
    (IPV6_V6ONLY) is not in these tables.
    """
    found = set()
    only = bool(lines) and lines[-1].strip() == "1"
    for line in lines:
        words = line.split()
        if len(words) < 4 or words[3] != LISTEN:
            continue
        address, _, number = words[1].rpartition(":")
        if int(number, 16) != port:
            continue
        if address == LOOPBACK6 or (len(address) == 8 and address.endswith(LOOPBACK4)):
            continue  # nobody but the pod itself reaches it
        found.add("IPv4" if len(address) == 8 or address.startswith(MAPPED) else "IPv6")
        if len(address) > 8 and not only and set(address) == {"0"}:
            found.add("IPv4")
    return found


def judge_listens(action: Listens, files: Mapping[str, Sequence[str]]) -> Verdict:
    """An open port in the family. Where another family has it, that is the program's fault and not the network's."""
    lines = files.get(SOCKETS, [])
    if not lines:
        return Verdict(False, "found neither cat nor python3 in the image, to read /proc/net/tcp with", skip=True)
    found = listening_families(lines, action.port)
    if action.family in found:
        return Verdict(True, f"listens on port {action.port}")
    told = f"listens on port {action.port} in {' and '.join(sorted(found))} only" if found else "listens in no family"
    return Verdict(False, f"the program in the pod {told}; expected {action.family} too")


def judge_servers(action: Servers, table: Table) -> Verdict:
    """Every entry there, with exactly the ready endpoints as real servers."""
    wrong = []
    for entry, servers in sorted(action.table.items()):
        if entry not in table:
            wrong.append(f"no entry {entry}")
        elif table[entry] != servers:
            found = ", ".join(sorted(table[entry])) or "none"
            wrong.append(f"{entry}: found real servers {found}; expected {', '.join(sorted(servers)) or 'none'}")
    if wrong:
        return Verdict(False, "; ".join(wrong))
    return Verdict(True, "; ".join(f"{entry} -> {len(servers)}" for entry, servers in sorted(action.table.items())))


def judge_no_servers(action: NoServers, table: Table) -> Verdict:
    """Nothing of this family is left in the table."""
    left = [entry for entry in sorted(table) if _entry_family(entry) == action.family]
    if left:
        return Verdict(False, f"found {len(left)} IPVS entries, first {left[0]}; expected none in this mode")
    return Verdict(True, "no IPVS entry is left")


def _entry_family(entry: str) -> str:
    return family_of(entry.partition(" ")[2].rpartition(":")[0].strip("[]"))
