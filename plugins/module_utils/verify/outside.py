"""Probing from outside the cluster: a shell and a small HTTP listener on the controller.

Both run behind a command prefix (for instance ``nsenter --net=...``), which decides where outside is.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import SCRIPT

START_SECONDS = 10.0

# One socket for both families; answers every request with the peer's address and ends with its standard input.
LISTENER = r"""
import http.server, os, socket, sys, threading

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

server = Server(("::", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
os._exit(0)
"""


def run_outside(prefix: Sequence[str], text: str, seconds: float) -> str:
    """The shell's answer to a batch. Raises OSError with its complaint when it did not end well or in time."""
    command = [*prefix, "sh", "-c", SCRIPT]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{' '.join(prefix) or 'sh'}: no answer in {seconds:.0f} s") from None
    if done.returncode:
        raise OSError(f"{' '.join(prefix) or 'sh'}: exit status {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout


@contextmanager
def listening(prefix: Sequence[str], addresses: Mapping[str, str] | None, port: int = 0) -> Iterator[Outside]:
    """The outside, with a listener as long as the context lasts; without addresses there is none.

    addresses: those of the outside itself, one per family; port: 0 = any. Raises OSError when it does not start.
    """
    if not addresses:
        yield Outside()
        return
    listener = subprocess.Popen(
        [*prefix, sys.executable, "-c", LISTENER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listener.stdin and listener.stdout and listener.stderr
    try:
        told = listener.stdout.readline().strip()
        if not told.isdigit():
            raise OSError(f"{' '.join(prefix)}: the listener did not start: {listener.stderr.read().strip()[-200:]}")
        yield Outside(dict(addresses), int(told))
    finally:
        listener.stdin.close()
        try:
            listener.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            listener.kill()
            listener.wait()
