"""Connectivity checks from a host: echo requests and TCP connections in both families, all at once. Runs there."""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# ICMP's and ICMPv6's echo request and reply (RFC 792, RFC 4443).
REQUEST, REPLY = {"IPv4": 8, "IPv6": 128}, {"IPv4": 0, "IPv6": 129}
AGAIN_SECONDS = 0.5
THREADS = 32

Endpoint = Mapping[str, Any]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of data of even length."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(family: str, identifier: int, sequence: int) -> bytes:
    """An echo request. The kernel fills in the checksum of IPv6 alone, because that is over its header too."""
    head = struct.pack("!BBHHH", REQUEST[family], 0, 0, identifier, sequence)
    if family == "IPv6":
        return head
    return struct.pack("!BBHHH", REQUEST[family], 0, checksum(head), identifier, sequence)


def reply(family: str, packet: bytes, identifier: int) -> int | None:
    """The sequence number of a reply to one of our requests; None for every other packet."""
    body = packet[(packet[0] & 15) * 4 :] if family == "IPv4" and packet else packet  # IPv4 comes with its header
    if len(body) < 8:
        return None
    kind, _code, _sum, found, sequence = struct.unpack("!BBHHH", body[:8])
    return int(sequence) if kind == REPLY[family] and found == identifier else None


def silent(family: str, addresses: Sequence[str], seconds: float) -> list[str]:
    """Addresses of a family that answer no echo request in time. Needs the right to open raw sockets."""
    kinds = {"IPv4": (socket.AF_INET, socket.IPPROTO_ICMP), "IPv6": (socket.AF_INET6, socket.IPPROTO_ICMPV6)}
    domain, protocol = kinds[family]
    identifier, missing = os.getpid() & 0xFFFF, dict(enumerate(addresses))
    wanted = [ipaddress.ip_address(address) for address in addresses]
    end, next_round = time.monotonic() + seconds, 0.0
    with socket.socket(domain, socket.SOCK_RAW, protocol) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        while missing and time.monotonic() < end:
            if time.monotonic() >= next_round:
                next_round = time.monotonic() + AGAIN_SECONDS
                for number, address in missing.items():
                    try:
                        raw.sendto(request(family, identifier, number), (address, 0))
                    except OSError:
                        continue  # no route: it stays missing
            if select.select([raw], [], [], max(0.0, min(end, next_round) - time.monotonic()))[0]:
                packet, source = raw.recvfrom(2048)
                sequence = reply(family, packet, identifier)
                if sequence in missing and wanted[sequence] == ipaddress.ip_address(source[0].partition("%")[0]):
                    del missing[sequence]
    return list(missing.values())


def connects(address: str, port: int, seconds: float) -> bool:
    """Whether a TCP connection comes about."""
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return True
    except OSError:
        return False


def unreachable(endpoints: Sequence[Endpoint], seconds: float) -> list[Endpoint]:
    """The endpoints that do not answer. seconds: longest wait for each."""
    lost: list[Endpoint] = []
    for family in REQUEST:
        echoes = [one for one in endpoints if one["family"] == family and not one["port"]]
        without = set(silent(family, sorted({one["address"] for one in echoes}), seconds)) if echoes else set()
        lost += [one for one in echoes if one["address"] in without]
    streams = [one for one in endpoints if one["port"]]
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda one: connects(one["address"], one["port"], seconds), streams)
        lost += [one for one, good in zip(streams, found) if not good]
    return lost
