"""The datagrams of the probe.

A datagram is JSON, padded with spaces when its size is what is tested:
  cluster, node   who speaks; datagrams of other clusters are ignored
  kind            ping | pong
  test            ping (reachability, round trip, clock), full (path MTU), vxlan
  sent            the pinger's clock (seconds since the epoch); a pong repeats it
  size            bytes of the IP packet that is tested; a pong repeats what it received
  received        in a pong: its sender's clock when the ping arrived
  done            the sender has all its answers
  vxlan           the sender listens on the VXLAN port
"""

from __future__ import annotations

import json
from typing import Any

# IP and UDP header bytes: RFC 791 (20) or RFC 8200 (40), and RFC 768 (8).
HEADERS = {"ipv4": 28, "ipv6": 48}
MAX_DATAGRAM = 65535


def message(values: dict[str, Any], size: int = 0) -> bytes:
    """A datagram's payload, padded to a number of bytes."""
    return json.dumps(values, separators=(",", ":")).encode().ljust(size)


def parse(data: bytes, cluster: str) -> dict[str, Any] | None:
    """The values of a datagram; None when it is not one of this cluster's probes."""
    try:
        values = json.loads(data)
    except ValueError:
        return None
    if not isinstance(values, dict) or values.get("cluster") != cluster or not isinstance(values.get("node"), str):
        return None
    return values


def clock_sample(sent: float, received: float, now: float) -> tuple[float, float]:
    """Round trip and the peer's clock minus ours, both in seconds.

    The peer answers at once, so its clock reading belongs to the middle of the round trip (RFC 5905, section 8).
    """
    trip = now - sent
    return trip, received - (sent + trip / 2)
