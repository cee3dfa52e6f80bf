"""Controller half of bump, and all of it: another version of a component, and what changed by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import bump, bump_run, prepare

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "component": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "revision": {"type": "str", "default": ""},
    "cache": {"type": "path", "required": True},
    "debian_mirror": {"type": "str", "default": ""},
}
COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "skipped": True}
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(dict(self._task.args))
        if checked.error_messages:
            raise AnsibleActionFail("; ".join(checked.error_messages))
        given = checked.validated_parameters
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            Display().display(f"bump: {line}")

        request = bump.Request(given["component"], given["version"], given["revision"])
        build = bump_run.builder(Path(given["cache"]), given["debian_mirror"], say)
        try:
            outcome = bump_run.run(COLLECTION, request, bump_run.go_command, build, say)
        except bump_run.FAILURES as error:
            # The message says it all: with `from error` Ansible would print it twice.
            raise AnsibleActionFail(prepare.explain(error, said)) from None
        say(outcome.text())
        return {**result, "files": list(outcome.files), "changed": bool(outcome.files)}
