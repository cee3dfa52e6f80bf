"""A web server of the lab's own machine, outside the cluster, by HTTP and by HTTPS, on both families.

Arguments: two ports of HTTP, port of HTTPS, certificate, key. It answers with the address that the request came from.
"""

from __future__ import annotations

import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Server(ThreadingHTTPServer):
    """On the IPv6 wildcard address, which takes IPv4 too."""

    address_family = socket.AF_INET6


class Handler(BaseHTTPRequestHandler):
    """Any path."""

    def do_GET(self) -> None:  # the name is http.server's
        """Answer with the caller's address."""
        answer = f"from outside to {self.client_address[0].removeprefix('::ffff:')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def main() -> None:
    """Serve until killed."""
    *plain, https = (Server(("::", int(port)), Handler) for port in sys.argv[1:4])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    https.socket = context.wrap_socket(https.socket, server_side=True)
    for http in plain:
        Thread(target=http.serve_forever, daemon=True).start()
    https.serve_forever()


if __name__ == "__main__":
    main()
