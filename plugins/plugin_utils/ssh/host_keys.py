"""SSH host keys: what servers show on their addresses, and what a known_hosts file says about them."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import shlex
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import paramiko
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding

#: The kinds of key that OpenSSH servers have, each with the signature algorithms that make a server show it.
KINDS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
SSH_PORT = 22
_LOG = "twinstack.host_keys"  # paramiko reports refused negotiations here; they are expected
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False


@dataclass(frozen=True, order=True)
class Key:
    """A public host key: its kind (``ssh-ed25519``) and its base64 text as in known_hosts."""

    kind: str
    text: str

    def fingerprint(self) -> str:
        """``SHA256:...`` as ssh-keygen -l prints it."""
        digest = hashlib.sha256(base64.b64decode(self.text)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True)
class Host:
    """A host and every place where its SSH server should answer.

    addresses: by the variable that names them (``ipv4``, ``ipv6``, ``ansible_host``).
    proxy: the ProxyCommand with its percent signs still in it; empty for a direct connection.
    """

    name: str
    addresses: dict[str, str]
    port: int = SSH_PORT
    proxy: str = ""

    def names(self) -> list[str]:
        """Every name under which ssh may look this host up in known_hosts."""
        plain = dict.fromkeys([self.name, *self.addresses.values()])
        return [name if self.port == SSH_PORT else f"[{name}]:{self.port}" for name in plain]


@dataclass(frozen=True)
class Comparison:
    """What the hosts show against what the file says, and the file's next text."""

    new: dict[str, list[Key]]
    altered: dict[str, list[Key]]
    content: str


def proxy_command(arguments: str) -> str:
    """The ProxyCommand in arguments for ssh (``-o ProxyCommand=...``, ``-J host``); empty when there is none."""
    words = shlex.split(arguments)
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        option = following if word == "-o" else word[2:] if word.startswith("-o") else ""
        match = re.fullmatch(r"(\w+)\s*[=\s]\s*(.+)", option)
        key, value = (match[1].lower(), match[2]) if match else ("", "")
        if key == "proxycommand":
            return "" if value.lower() == "none" else value
        jump = following if word == "-J" else value if key == "proxyjump" else ""
        if jump:
            return f"ssh -W [%h]:%p {shlex.quote(jump)}"
    return ""


def host_from_variables(name: str, variables: Mapping[str, Any]) -> tuple[Host, list[Finding]]:
    """A host from its inventory variables, and what is missing in them. No family is ever made up."""
    findings = [
        Finding(name, family, "no value", f"the host's {family} address", f"add {family} to the host in the inventory")
        for family in FAMILY_KEYS
        if not variables.get(family)
    ]
    addresses = {field: str(variables[field]) for field in (*FAMILY_KEYS, "ansible_host") if variables.get(field)}
    arguments = " ".join(str(variables.get(f"ansible_ssh_{part}_args") or "") for part in ("common", "extra"))
    return Host(name, addresses, int(variables.get("ansible_port") or SSH_PORT), proxy_command(arguments)), findings


def _socket(host: Host, address: str, timeout: float) -> Any:
    if not host.proxy:
        return socket.create_connection((address, host.port), timeout=timeout)
    values = {"%h": address, "%n": address, "%p": str(host.port), "%%": "%"}
    command = re.sub("%[hnp%]", lambda sign: values[sign[0]], host.proxy)
    # ssh hands the command to a shell, paramiko does not.
    return paramiko.ProxyCommand(shlex.join(["/bin/sh", "-c", f"exec {command}"]))


def shown_keys(host: Host, address: str, timeout: float) -> set[Key]:
    """The keys that the server at an address shows, one connection per kind. No user is authenticated.

    timeout: seconds per connection. Raises OSError or paramiko.SSHException when no server answers.
    """
    keys = set()
    for algorithms in KINDS.values():
        transport = paramiko.Transport(_socket(host, address, timeout))
        transport.set_log_channel(_LOG)
        transport.banner_timeout = transport.handshake_timeout = timeout
        try:
            transport.get_security_options().key_types = algorithms
            transport.start_client(timeout=timeout)
            key = transport.get_remote_server_key()
            keys.add(Key(key.get_name(), key.get_base64()))
        except paramiko.ssh_exception.IncompatiblePeer:
            continue  # the server has no key of this kind
        finally:
            transport.close()
    return keys


def _fingerprints(keys: Iterable[Key]) -> str:
    return " ".join(f"{key.kind} {key.fingerprint()}" for key in sorted(keys)) or "no key of a known kind"


def collect(host: Host, timeout: float) -> tuple[set[Key], list[Finding]]:
    """A host's keys, which must be the same on all its addresses; or what is wrong."""
    seen: dict[str, set[Key]] = {}
    findings = []
    for field, address in host.addresses.items():
        try:
            seen[field] = shown_keys(host, address, timeout)
        except (OSError, paramiko.SSHException, EOFError) as error:
            reason = str(error) or type(error).__name__
            place = f"{address} port {host.port}" + (f" by {host.proxy}" if host.proxy else "")
            findings.append(
                Finding(host.name, field, reason, f"an SSH server at {place}", f"ssh -v -p {host.port} {address}")
            )
    if not seen:
        return set(), findings
    first, keys = next(iter(seen.items()))
    for field, others in seen.items():
        if others != keys or not others:
            findings.append(
                Finding(
                    host.name,
                    field,
                    f"{_fingerprints(others)} at {host.addresses[field]}",
                    f"the keys of {first} {host.addresses[first]}: {_fingerprints(keys)}",
                    "compare the addresses with the machine's own: two machines, or something between, answer here",
                )
            )
    return keys, findings


def collect_all(hosts: Iterable[Host], timeout: float) -> tuple[dict[str, set[Key]], list[Finding]]:
    """The keys of many hosts at once, by name, and everything that is wrong with any of them."""
    listed = list(hosts)
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(listed)))) as pool:
        results = list(pool.map(lambda host: collect(host, timeout), listed))
    findings = [finding for _, found in results for finding in found]
    return {host.name: keys for host, (keys, _) in zip(listed, results, strict=True)}, findings


def known_keys(text: str, names: Iterable[str]) -> set[Key]:
    """The keys that a known_hosts text has for any of the names. Hashed names and patterns are not looked into."""
    wanted = set(names)
    entries = [line.split() for line in text.splitlines()]
    return {
        Key(words[1], words[2])
        for words in entries
        if len(words) >= 3 and not words[0].startswith(("#", "@")) and wanted & set(words[0].split(","))
    }


def compare(hosts: Iterable[Host], keys: Mapping[str, set[Key]], text: str) -> Comparison:
    """The hosts' keys against a known_hosts text.

    A host of which the text has no key is new; one that shows another key of a kind that the text has, or none of the
    text's keys, has altered keys. Entries of other names stay in the content as they are.
    """
    new: dict[str, list[Key]] = {}
    altered: dict[str, list[Key]] = {}
    lines = []
    ours: set[str] = set()
    for host in hosts:
        names = host.names()
        ours.update(names)
        known = known_keys(text, names)
        shown = sorted(keys[host.name])
        kinds = {key.kind for key in known}
        if not known:
            new[host.name] = shown
        elif other := [key for key in shown if key not in known and (key.kind in kinds or not known & set(shown))]:
            altered[host.name] = other
        lines += [f"{','.join(names)} {key.kind} {key.text}" for key in shown]
    kept = [line for line in text.splitlines() if not ours & set(line.split(" ", 1)[0].split(","))]
    return Comparison(new, altered, "".join(f"{line}\n" for line in kept + lines))


def table(hosts: Iterable[Host], keys: Mapping[str, set[Key]], comparison: Comparison) -> list[str]:
    """Lines of a table for people: host, its addresses, kind, fingerprint, and whether the key is known."""
    rows = [("HOST", "ADDRESSES", "KIND", "FINGERPRINT", "STATE")]
    for host in hosts:
        for key in sorted(keys[host.name]):
            state = "known"
            if host.name in comparison.new:
                state = "new"
            elif key in comparison.altered.get(host.name, []):
                state = "CHANGED"
            addresses = " ".join(dict.fromkeys(host.addresses.values()))
            rows.append((host.name, addresses, key.kind, key.fingerprint(), state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
