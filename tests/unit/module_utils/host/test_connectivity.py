"""host_connectivity on real sockets of the loopback, both families."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import connectivity

LOOPBACK = {"IPv4": "127.0.0.1", "IPv6": "::1"}
# A class E address (RFC 1112), which no kernel sends to, and the documentation prefix (RFC 3849).
NOBODY = {"IPv4": "240.0.0.1", "IPv6": "2001:db8::1"}


def endpoint(family: str, address: str, port: int = 0) -> dict[str, Any]:
    """One endpoint."""
    return {"name": "x", "family": family, "address": address, "port": port}


@pytest.fixture(params=list(LOOPBACK))
def listener(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A family and a port that something listens on."""
    family = str(request.param)
    kind = socket.AF_INET if family == "IPv4" else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_STREAM) as server:
        server.bind((LOOPBACK[family], 0))
        server.listen()
        yield family, server.getsockname()[1]


def test_only_what_does_not_connect_is_unreachable(listener: tuple[str, int]) -> None:
    family, port = listener
    with socket.socket(socket.AF_INET if family == "IPv4" else socket.AF_INET6, socket.SOCK_STREAM) as unused:
        unused.bind((LOOPBACK[family], 0))  # bound and not listening: refused
        closed = unused.getsockname()[1]
        checked = [endpoint(family, LOOPBACK[family], port), endpoint(family, LOOPBACK[family], closed)]
        assert connectivity.unreachable(checked, 1) == [checked[1]]


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")
@pytest.mark.parametrize("family", LOOPBACK)
def test_only_who_does_not_answer_an_echo_request_is_unreachable(family: str) -> None:
    checked = [endpoint(family, LOOPBACK[family]), endpoint(family, NOBODY[family])]
    assert connectivity.unreachable(checked, 0.3) == [checked[1]]


def test_replies_to_others_and_other_packets_are_no_answer() -> None:
    header = bytes([0x45]) + bytes(19)
    mine, other = bytes([0, 0, 0, 0, 0, 7, 0, 3]), bytes([0, 0, 0, 0, 0, 8, 0, 3])
    assert connectivity.reply("IPv4", header + mine, 7) == 3
    assert connectivity.reply("IPv4", header + other, 7) is None
    assert connectivity.reply("IPv4", header + bytes([8]) + mine[1:], 7) is None, (
        "our own request, seen on the loopback"
    )
    assert connectivity.reply("IPv6", bytes([129]) + mine[1:], 7) == 3
    assert connectivity.reply("IPv6", b"", 7) is None


def test_the_checksum_is_that_of_the_standard() -> None:
    """The example of RFC 1071, section 3: the sum is ddf2."""
    assert connectivity.checksum(bytes([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7])) == ~0xDDF2 & 0xFFFF
