"""How soon SSH notices that a host has died: below 30 s, with whatever ansible.cfg a run has. Pure.

ssh ends a connection when the host has answered nothing for INTERVAL x (COUNT + 1) seconds. Then Ansible connects
again, RETRIES times, and gives each try its ``timeout``, 10 s by default. A host that is silent when a task begins has
1 + RETRIES tries.
"""

from __future__ import annotations

INTERVAL = 5
COUNT = 2
RETRIES = 1  # none would take a connection that broke for a dead host
CONNECT_SECONDS = 10  # Ansible's own default
#: Options of ssh that make a connection end.
ALIVE = (f"ServerAliveInterval={INTERVAL}", f"ServerAliveCountMax={COUNT}")


def arguments(configured: str) -> str:
    """ssh_args as they are configured, with ALIVE unless they say something of it themselves."""
    if "serveralive" in configured.lower():
        return configured
    return " ".join([configured, *(f"-o {option}" for option in ALIVE)]).strip()


def retries(configured: int) -> int:
    """How often Ansible connects again."""
    return max(configured, RETRIES)
