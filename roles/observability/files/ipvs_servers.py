"""Tells Prometheus which IPVS virtual servers of this host have no real server that takes new connections.

Runs in the host's network, as nobody: the kernel's table may be read by everybody. Argument: the port to listen on, in
both families. Only empty virtual servers have a series each, so their number is bounded by what is wrong.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TABLE = "/proc/net/ip_vs"
VirtualServer = tuple[str, str, int]  # protocol, address, port


def parse(lines: Iterable[str]) -> dict[VirtualServer, int]:
    """Real servers of a weight above 0 by virtual server (kernel: net/netfilter/ipvs/ip_vs_ctl.c)."""
    found: dict[VirtualServer, int] = {}
    current: VirtualServer | None = None
    for line in lines:
        words = line.split()
        if len(words) >= 3 and words[0] in ("TCP", "UDP", "SCTP"):
            host, _, port = words[1].rpartition(":")
            address = host[1:-1] if host.startswith("[") else str(ipaddress.IPv4Address(int(host, 16)))
            current = words[0], str(ipaddress.ip_address(address)), int(port, 16)
            found[current] = 0
        elif words and words[0] == "FWM":
            current = None
        elif len(words) >= 4 and words[0] == "->" and current and words[3].isdigit() and int(words[3]) > 0:
            found[current] += 1
    return found


def page(table: dict[VirtualServer, int]) -> str:
    """The table in Prometheus' text format."""
    lines = ["# TYPE twinstack_ipvs_virtual_servers gauge"]
    for version in (4, 6):
        count = sum(1 for _, address, _ in table if ipaddress.ip_address(address).version == version)
        lines.append(f'twinstack_ipvs_virtual_servers{{ip_family="IPv{version}"}} {count}')
    lines.append("# TYPE twinstack_ipvs_without_real_servers gauge")
    for (protocol, address, port), servers in sorted(table.items()):
        if not servers:
            family = f"IPv{ipaddress.ip_address(address).version}"
            labels = f'protocol="{protocol}",address="{address}",port="{port}",ip_family="{family}"'
            lines.append(f"twinstack_ipvs_without_real_servers{{{labels}}} 1")
    return "\n".join([*lines, ""])


class Server(ThreadingHTTPServer):
    """On the IPv6 wildcard address, which takes IPv4 too."""

    address_family = socket.AF_INET6
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    """One page, whatever the path."""

    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # the name is http.server's
        """Say nothing: it is asked all the time."""

    def do_GET(self) -> None:
        """Read the table again."""
        try:
            with open(TABLE, encoding="ascii") as stream:
                status, text = 200, page(parse(stream))
        except (OSError, ValueError) as error:
            status, text = 500, f"{TABLE}: {error}\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Server(("::", int(sys.argv[1])), Handler).serve_forever()
