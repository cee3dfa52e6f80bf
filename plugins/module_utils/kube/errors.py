"""What goes wrong between a module and a cluster's API, in one vocabulary.

Everything here can be imported without the libraries that talking to the API takes: what is missing is reported by the
module that needs it (`kube.module`), not by a traceback.
"""

from __future__ import annotations

import traceback

MISSING = ""  # the traceback of a library that is not there
try:
    import kubernetes.client
    import kubernetes.config
    import kubernetes.stream  # noqa: F401 - only to know whether it is there
    import urllib3.exceptions
    import websocket
    import yaml  # noqa: F401

    _HTTP: type[Exception] = urllib3.exceptions.HTTPError
    _WEBSOCKET: type[Exception] = websocket.WebSocketException
except ImportError:
    MISSING = traceback.format_exc()
    _HTTP = _WEBSOCKET = OSError

# What a broken way to the API raises, below and above HTTP.
CONNECTION_ERRORS = (_HTTP, _WEBSOCKET, OSError)


class KubeconfigError(Exception):
    """A kubeconfig that no request can be sent with."""


class RefusedError(Exception):
    """An answer of the API server that is no success. status: the HTTP status; the text is the server's own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class UnknownKindError(Exception):
    """The cluster does not serve this kind."""


# What any request may raise.
API_ERRORS = (RefusedError, *CONNECTION_ERRORS)


def reason(error: Exception) -> str:
    """Why it went wrong, in the words of whoever knows best: the API server, or the connection that broke."""
    return str(getattr(error, "reason", None) or error)
