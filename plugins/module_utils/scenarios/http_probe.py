"""Sends HTTP requests, each over the family that it names, and prints what came back. Runs wherever a Python 3 is.

Standard input: a JSON list of ``id``, ``url``, ``family`` (``IPv4``, ``IPv6``, empty = whichever answers), and
optionally ``headers``, ``connect`` (``host:port`` to connect to instead of the URL's host), ``timeout`` in seconds and
``find`` (texts to look for in the whole answer). Standard output: a JSON list of ``id``, ``status`` (0 = none), the
beginning of the ``text``, ``found`` by text, ``milliseconds`` and ``error``. Nothing but the standard library, because
it is sent to where it runs.
"""

import http.client
import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

THREADS = 8
SECONDS = 15.0
MOST_TEXT = 4000
KINDS = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6, "": socket.AF_UNSPEC}


def send(request: Any) -> Any:
    """One request; a mapping as standard output has it."""
    begun = time.monotonic()
    found = {"id": request["id"], "status": 0, "text": "", "error": "", "tried": False}
    try:
        url = urlsplit(request["url"])
        host, port = url.hostname or "", url.port or 80
        if request.get("connect"):
            host, _, number = request["connect"].rpartition(":")
            host, port = host.strip("[]"), int(number)
        places = socket.getaddrinfo(host, port, KINDS[request["family"]], socket.SOCK_STREAM)
        seconds = request.get("timeout") or SECONDS
        found["tried"] = True
        connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=seconds)
        where = str(places[0][4][0]) if request["family"] else host  # by name it tries one address after the other
        connection.sock = socket.create_connection((where, port), timeout=seconds)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", path, headers=dict(request.get("headers") or {}))
        answer = connection.getresponse()
        found["status"] = answer.status
        text = answer.read().decode(errors="replace")
        found["text"] = text[:MOST_TEXT]
        found["found"] = {one: one in text for one in request.get("find") or []}
        connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        found["error"] = str(error) or type(error).__name__
    found["milliseconds"] = round((time.monotonic() - begun) * 1000, 1)
    return found


def main() -> None:
    """Entry point."""
    requests = json.loads(sys.stdin.readline())
    with ThreadPoolExecutor(THREADS) as pool:
        print(json.dumps(list(pool.map(send, requests))), flush=True)


if __name__ == "__main__":
    main()
