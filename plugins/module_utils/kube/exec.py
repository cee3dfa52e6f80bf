"""A command in a container, with its standard input and output, by a websocket through the API server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import CONNECTION_ERRORS, reason

with suppress(ImportError):  # kube.module reports what is missing
    import kubernetes.client
    import kubernetes.stream
    import websocket
    from kubernetes.client.exceptions import ApiException

CONNECT_SECONDS = 30  # and for each answer on the socket
CHUNK = 16384
STDOUT, STDERR, STATUS = 1, 2, 3


def execute(
    configuration: Any,
    where: tuple[str, str, str],
    command: list[str],
    text: str,
    seconds: float,
    whole: Callable[[str], bool] | None = None,
) -> str:
    """Standard output of a command in a container. Raises OSError with the reason when it is not whole in time.

    where: namespace, pod and container; text: for its standard input; whole: whether the output is, without the white
    space at its end; without it the command must end by itself, with success.

    Safe in threads: the stream call changes its client while it connects, so every call has a client of its own.
    """
    space, pod, container = where
    core = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))
    websocket.setdefaulttimeout(CONNECT_SECONDS)  # the stream call has no way to say it
    try:
        shell = kubernetes.stream.stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            space,
            container=container,
            command=command,
            stdin=True,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
    except (ApiException, *CONNECTION_ERRORS) as error:
        raise OSError(f"exec refused: {reason(error)}") from error
    output = ""
    try:
        for start in range(0, len(text), CHUNK):
            shell.write_stdin(text[start : start + CHUNK])
        end = time.monotonic() + seconds
        while shell.is_open() and time.monotonic() < end and not (whole and whole(output.rstrip())):
            shell.update(timeout=1)
            output += shell.read_channel(STDOUT)
        output += shell.read_channel(STDOUT)
        errors = shell.read_channel(STDERR)
        ended, told = (False, "") if shell.is_open() else _ended(shell.read_channel(STATUS))
        errors += told
    except (ApiException, *CONNECTION_ERRORS) as error:
        raise OSError(f"exec broke off: {reason(error)}") from error
    finally:
        shell.close()
    if not (whole(output.rstrip()) if whole else ended):
        said = (errors or output).strip()[-200:] or "nothing at all"
        raise OSError(f"no whole answer in {seconds:.0f} s: {said}")
    return output


def _ended(status: str) -> tuple[bool, str]:
    """Whether a command ended with success, by the API's Status, and what that says when it did not."""
    try:
        told = json.loads(status)
        return told["status"] == "Success", str(told.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return False, status
