"""Which of the fields that we set differ from what is there: by value, whatever the spelling. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
# Which format a document is in is a matter of versions, not of settings.
FORMAT = ("apiVersion", "kind")

Difference = tuple[str, Any, Any]


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str = "") -> list[Difference]:
    """Fields of wanted that found has not, or has with another value: (dotted name, found, wanted).

    What found has besides is nobody's business here: kubeadm's own defaults, and what people added.
    """
    result: list[Difference] = []
    for key, value in wanted.items():
        if not path and key in FORMAT:
            continue
        where = f"{path}.{key}" if path else key
        have = found.get(key)
        if isinstance(value, Mapping):
            result += differences(value, have if isinstance(have, Mapping) else {}, where)
        elif not same(value, have):
            result.append((where, have, value))
    return result


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _meaning(one) == _meaning(other)
    return type(one) is type(other) and bool(one == other)


def _meaning(text: str) -> object:
    """A text as the thing that it spells: a duration in seconds, an address, a network, or a list of them."""
    if "," in text:
        return [_meaning(part.strip()) for part in text.split(",")]
    if PART.sub("", text) == "" and text:
        return sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))
    for kind in (ipaddress.ip_address, ipaddress.ip_network):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
