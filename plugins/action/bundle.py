"""Controller half of bundle, and all of it: makes what is missing in the cache and shows what it is doing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import prepare

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "provider": {"type": "str", "required": True, "choices": ["source", "upstream"]},
    "versions": {"type": "dict", "required": True},
    "groups": {"type": "list", "elements": "str", "required": True},
    "cache": {"type": "path", "required": True},
    "index": {"type": "path", "required": True},
    "manifest": {"type": "path"},
    "debian_mirror": {"type": "str", "default": ""},
    "rebuild": {"type": "list", "elements": "str", "default": []},
    "verify": {"type": "bool", "default": False},
    "mirrors": {"type": "list", "elements": "str", "default": []},
    "caches": {"type": "list", "elements": "str", "default": []},
}
COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(dict(self._task.args))
        if checked.error_messages:
            raise AnsibleActionFail("; ".join(checked.error_messages))
        given = checked.validated_parameters
        settings = prepare.Settings(
            manifest=Path(given["manifest"] or COLLECTION / "bundle" / "manifest.yml"),
            provider=given["provider"],
            versions={str(name): str(version) for name, version in given["versions"].items()},
            groups=given["groups"],
            cache=Path(given["cache"]),
            index=Path(given["index"]),
            debian_mirror=given["debian_mirror"],
            rebuild=given["rebuild"],
            verify=given["verify"],
            mirrors=given["mirrors"],
            caches=given["caches"],
        )
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            Display().display(f"bundle: {line}")

        try:
            outcome = prepare.prepare(settings, say, check=self._task.check_mode)
        except prepare.FAILURES as error:
            # The message says it all: with `from error` Ansible would print it twice.
            raise AnsibleActionFail(prepare.explain(error, said)) from None
        result["built"] = outcome.built
        result["changed"] = bool(outcome.built) or outcome.before != outcome.after
        if self._task.diff and outcome.before != outcome.after:
            name = str(settings.index)
            result["diff"] = {
                "before": outcome.before,
                "after": outcome.after,
                "before_header": name,
                "after_header": name,
            }
        return result
