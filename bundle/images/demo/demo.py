"""A service that answers with its own and the caller's identity, and calls other services over a chosen family.

``GET /``         what answered: service, version, pod, and the caller's address and family as they are seen here.
``GET /call``     the same, with the answer of the service that ``to`` names (a URL) as ``called``. ``family`` chooses
                  how its name is resolved: IPv4, IPv6, or whatever comes first. Release headers and trace context
                  are passed on.
``GET /healthz``  200 while the process lives. ``GET /readyz``: 200 until it receives SIGTERM.

Environment: SERVICE, VERSION, POD, PORT (8080), LINGER (seconds that it serves on after SIGTERM, so that nobody who was
sent here is refused).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import signal
import socket
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

# What a release is chosen by, and what joins the spans of one request (W3C, B3, Envoy).
PASSED_ON = (
    *("version", "clientversion", "providerversion"),
    *("traceparent", "tracestate", "b3", "x-request-id", "x-client-trace-id"),
    *("x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"),
)
FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6, "": socket.AF_UNSPEC}
CALL_SECONDS = 10.0
ENDING = web.AppKey("ending", asyncio.Event)


def family_of(address: str) -> str:
    """``IPv4`` or ``IPv6``; an IPv4 address that an IPv6 socket shows is what it is."""
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return "IPv4" if parsed.version == 4 or mapped else "IPv6"


def identity(request: web.Request) -> dict[str, Any]:
    """The service's and the caller's identity."""
    peer = request.transport.get_extra_info("peername")[0] if request.transport else ""
    return {
        "service": os.environ.get("SERVICE", "demo"),
        "version": os.environ.get("VERSION", ""),
        "pod": os.environ.get("POD", socket.gethostname()),
        "caller": {
            "address": peer,
            "family": family_of(peer) if peer else "",
            "forwarded_for": request.headers.get("x-forwarded-for", ""),
        },
    }


async def answer(request: web.Request) -> web.Response:
    """Who this is."""
    return web.json_response(identity(request))


async def call(request: web.Request) -> web.Response:
    """Call another service and pass its answer on."""
    target, family = request.query.get("to", ""), request.query.get("family", "")
    if not target.startswith("http") or family not in FAMILIES:
        return web.json_response({"error": "to must be a URL, family IPv4, IPv6 or nothing"}, status=400)
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    found = identity(request)
    try:
        async with (
            ClientSession(
                connector=TCPConnector(family=FAMILIES[family], force_close=True),
                timeout=ClientTimeout(total=CALL_SECONDS),
            ) as session,
            session.get(target, headers=headers) as reply,
        ):
            text = await reply.text()
            try:
                body = json.loads(text)
            except ValueError:
                body = {"text": text[:200]}
            return web.json_response(found | {"called": body, "called_status": reply.status})
    except (TimeoutError, ClientError, OSError) as error:
        return web.json_response(found | {"called": None, "called_error": str(error) or type(error).__name__})


async def healthy(_request: web.Request) -> web.Response:
    """The process lives."""
    return web.Response(text="ok\n")


async def ready(request: web.Request) -> web.Response:
    """It takes requests; not any more after SIGTERM."""
    ending = request.app[ENDING].is_set()
    return web.Response(text="ending\n" if ending else "ok\n", status=503 if ending else 200)


def application() -> web.Application:
    """The application."""
    app = web.Application()
    app[ENDING] = asyncio.Event()
    app.add_routes(
        [web.get("/healthz", healthy), web.get("/readyz", ready), web.get("/call", call), web.get("/{rest:.*}", answer)]
    )
    return app


async def serve() -> None:
    """Serve over both families until SIGTERM, and a while longer."""
    app = application()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = int(os.environ.get("PORT", "8080"))
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512) as listener:
        await web.SockSite(runner, listener).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, app[ENDING].set)
        await app[ENDING].wait()
        await asyncio.sleep(float(os.environ.get("LINGER", "5")))
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
