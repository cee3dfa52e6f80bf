"""Running a module's code in the controller's own process.

Ansible imports an action plugin once and forks for every task. A module would start a Python and import the Kubernetes
client each time, which takes longer than most of its requests.
"""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import notes


class EndedError(Exception):
    """The code came to its end. result: what the task returns."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


def plain(value: Any) -> Any:
    """What JSON cannot hold, as a module would get it."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError(f"found {type(value).__name__}, expected what JSON can hold")


@contextmanager
def short_lived_files() -> Iterator[None]:
    """What is written into temporary files goes with the task.

    The Kubernetes client leaves the kubeconfig's key in one until the process exits, and a fork of Ansible's ends
    without doing so. A run that is killed leaves it, as a module of its own would: in Ansible's own folder for
    temporary files, which is its user's alone.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP) as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


class InProcess:
    """What a module's code uses of AnsibleModule."""

    def __init__(self, params: dict[str, Any], check_mode: bool) -> None:
        # As a module gets them: without what Ansible notes about each text, which YAML cannot write.
        self.params: dict[str, Any] = json.loads(json.dumps(params, default=plain))
        self.check_mode = check_mode
        self._warnings: list[str] = []

    def warn(self, warning: str) -> None:
        """Show the user at the end."""
        self._warnings.append(warning)

    def exit_json(self, **result: Any) -> NoReturn:
        """End well. Raises EndedError."""
        raise EndedError(result | {"warnings": self._warnings})

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """End with a failure. Raises EndedError."""
        raise EndedError(result | {"failed": True, "msg": msg, "warnings": self._warnings})


class InProcessAction(ActionBase):
    """An action that is a module's code. SPEC: the module's arguments; CODE: what its main function runs."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    SPEC: Mapping[str, Any]
    CODE: Callable[[Any], None]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; the result is the module's."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, params = self.validate_argument_spec(argument_spec=dict(self.SPEC))
        try:
            with short_lived_files():
                type(self).CODE(InProcess(params, bool(self._task.check_mode)))
        except EndedError as ended:
            result.update(ended.result)
        planned = (task_vars or {}).get(notes.VARIABLE)
        return self._planned(result, Path(self._templar.template(planned))) if planned else result

    def _planned(self, result: dict[str, Any], noted: Path) -> dict[str, Any]:
        """The result in a plan: what would be done is noted, and so is a refusal, beside those of other tasks."""
        if result.get("failed"):
            notes.add(noted, notes.Note(host="", refused=str(result.get("msg", ""))))
            return result | {"failed": False, "changed": False}
        notes.add(noted, notes.of_objects(str(self._task.args.get("apply_set", "")), result))
        return result | {"changed": False}  # a plan changes nothing, and what follows a change does not follow here
