"""How a run that must not go on says so: all reasons in one list, which is printed once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, errors, summary
from ansible_collections.twinstack.core.plugins.plugin_utils.run.settings import CALLBACK


def refused(findings: Iterable[Finding], what: str) -> dict[str, Any]:
    """The result of an action that refuses: ``failed`` and ``msg``.

    what: what the reasons keep the run from (``to touch any host``). Ansible's own callbacks print a failed task's
    message twice; under them the list is printed here and the message only counts it.
    """
    findings = list(findings)
    title = counted(len(errors(findings)), what)
    return said_once(title, summary(findings, title))


def counted(count: int, what: str) -> str:
    """The head of a list of reasons."""
    return f"{count} reason{'' if count == 1 else 's'} not {what}"


def said_once(title: str, listed: str) -> dict[str, Any]:
    """The result of an action that refuses with a list under a title."""
    if constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") == CALLBACK:
        return {"failed": True, "msg": listed}
    Display().display(listed, color=constants.COLOR_ERROR)
    return {"failed": True, "msg": f"{title}, listed above"}
