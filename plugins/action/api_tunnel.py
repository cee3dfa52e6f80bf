"""Opens an SSH tunnel to the API and writes the kubeconfig that goes through it; runs on the controller only."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import shlex
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.ssh import keep_alive

VARIABLES = (
    "ansible_host",
    "ansible_port",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_private_key_file",
    "ansible_user",
    "inventory_hostname",
)
OPTIONS = ("ExitOnForwardFailure=yes", "BatchMode=yes")
#: Unless the inventory says otherwise: of an option that is given twice ssh takes the first.
DEFAULTS = (*keep_alive.ALIVE, f"ConnectTimeout={keep_alive.CONNECT_SECONDS}")
SSH_SECONDS = 15.0  # with the last try's ConnectTimeout less than 30 until the control plane counts as lost


def ssh_command(variables: dict[str, Any], socket: Path, words: list[str]) -> list[str]:
    """ssh with a host's connection settings. variables: its templated inventory variables. words: what to do."""
    command = ["ssh", "-S", str(socket)]
    for option in OPTIONS:
        command += ["-o", option]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        command += shlex.split(str(variables.get(name) or ""))
    for option in DEFAULTS:
        command += ["-o", option]
    if variables.get("ansible_ssh_private_key_file"):
        command += ["-i", str(variables["ansible_ssh_private_key_file"])]
    if variables.get("ansible_port"):
        command += ["-p", str(variables["ansible_port"])]
    if variables.get("ansible_user"):
        command += ["-l", str(variables["ansible_user"])]
    return [*command, *words, str(variables.get("ansible_host") or variables["inventory_hostname"])]


def api_answers(port: int) -> bool:
    """True when something speaks TLS and HTTP on the loopback port. Trust is the kubeconfig's business, not ours."""
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=3, context=context)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status in (200, 401, 403)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def local_kubeconfig(admin: str, port: int, api_port: int) -> str:
    """kubeadm's admin.conf for use through the tunnel, with a word for people at its top."""
    head = (
        "# Goes through an SSH tunnel on this machine's loopback; playbooks/verify.yml opens it when it is closed.\n"
        "# bin/kubectl, beside this file, is of the cluster's own version.\n"
        f"# Where the API's port is open: kubectl --server https://ADDRESS:{api_port}\n"
    )
    return head + re.sub(r"(?m)^(\s+server:) .*$", rf"\1 https://127.0.0.1:{port}", admin)


def write_private(path: Path, text: str) -> bool:
    """Write a file that only its owner can read; False when it holds the text already."""
    try:
        if path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o777 == 0o600:
            return False
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent)  # 0600 from its first byte on
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(part).replace(path)
    return True


def opened(
    ssh: Callable[..., subprocess.CompletedProcess[bytes]],
    socket: Path,
    forward: str,
    answers: Callable[[], bool],
    name: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Finding | None:
    """Open the tunnel, or find it open; why the API does not answer through it, None when it does.

    ssh: runs ssh with these words. socket: of its control master. forward: as for ``ssh -L``. seconds: longest wait for
    the API. A host that ssh does not get into is waited for only SSH_SECONDS: a run has just been on it.
    """
    begun = connected = clock()
    while True:
        alive = ssh("-O", "check").returncode == 0
        if alive and answers():
            return None
        if clock() - begun > seconds:
            where = ":".join(forward.split(":")[:2])
            found, expected = f"no answer through {where} within {seconds:.0f} s", "one through SSH"
            return Finding(name, "API", found, expected, "crictl ps -a and journalctl -u kubelet on the host")
        if alive:
            ssh("-O", "exit")
        socket.unlink(missing_ok=True)
        done = ssh("-f", "-N", "-M", "-L", forward)
        if done.returncode == 0:
            connected = clock()
        elif clock() - connected > SSH_SECONDS:
            found = " ".join(done.stderr.decode(errors="replace").split()) or f"exit status {done.returncode} of ssh"
            hint = "the same command again when the host is up; another twinstack_api_tunnel_port if the port is taken"
            return Finding(name, "SSH", found, "a tunnel to the API", hint)
        sleep(0.5)


class ActionModule(ActionBase):
    """Changed means that the kubeconfig is another one; a tunnel is no state."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        changed = False
        if arguments.get("admin_config") and not self._task.check_mode:
            admin = base64.b64decode(arguments["admin_config"]).decode()
            text = local_kubeconfig(admin, int(arguments.get("port", 16443)), int(arguments.get("api_port", 6443)))
            changed = write_private(Path(arguments["kubeconfig"]).expanduser(), text)
        name, port = str(arguments["host"]), int(arguments.get("port", 16443))
        api_port, timeout = int(arguments.get("api_port", 6443)), float(arguments.get("timeout", 120))
        address = str(arguments["address"])
        hostvars = (task_vars or {})["hostvars"][name]
        variables = {key: hostvars[key] for key in VARIABLES if key in hostvars}
        forward = f"127.0.0.1:{port}:{f'[{address}]' if ':' in address else address}:{api_port}"
        folder = Path("~/.ansible/cp").expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity = hashlib.sha256(f"{forward} {variables.get('ansible_user')}".encode()).hexdigest()[:12]
        socket = folder / f"twinstack-{identity}"

        def ssh(*words: str) -> subprocess.CompletedProcess[bytes]:
            return self._ssh(ssh_command(variables, socket, list(words)))

        seconds = 5.0 if self._task.check_mode else timeout
        finding = opened(ssh, socket, forward, lambda: api_answers(port), name, seconds)
        if finding is None:
            return result | {"changed": changed, "reachable": True}
        if self._task.check_mode:
            return result | {"changed": False, "reachable": False}
        return result | {"failed": True, "reachable": False, "msg": finding.line()}

    def _ssh(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        """Run ssh with nothing of ours open in it but a file for its complaints: -f leaves a process behind."""
        with tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, check=False, timeout=60
            )
            errors.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, b"", errors.read()[-500:])
