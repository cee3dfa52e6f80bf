"""Counts SSH executions: each start of ssh, scp or sftp by Ansible's ssh connection is one line in a file.

Tasks run in forked workers, so a counter in memory would never reach the process that reports. The file is open for
appending before the fork, and one short write with O_APPEND is atomic.
"""

from __future__ import annotations

import fcntl
import os
from typing import Any

from ansible.plugins.connection import ssh

METHOD = "_bare_run"  # ansible-core 2.19 to 2.22: the one place that starts a process; each retry goes through it


def install(descriptor: int) -> bool:
    """Count from now on. False when this ansible-core has no place to count at.

    descriptor: an open file, which every worker inherits. Each execution becomes ``address<TAB>task's uuid``.
    """
    original = getattr(ssh.Connection, METHOD, None)
    if original is None:
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)

    connect = ssh.Connection.__init__

    def connected(self: Any, *arguments: Any, **options: Any) -> None:
        connect(self, *arguments, **options)
        self._counted_task = options.get("task_uuid", "")

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        address = self.get_option("host") or self._play_context.remote_addr
        os.write(descriptor, f"{address}\t{self._counted_task}\n".encode())
        return original(self, *arguments, **options)

    ssh.Connection.__init__ = connected
    setattr(ssh.Connection, METHOD, counted)
    return True
