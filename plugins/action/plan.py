"""The plan of a run, out of what preflight found and what the run's own tasks would do in check mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import model, notes
from ansible_collections.twinstack.core.plugins.plugin_utils.run.refusal import counted, said_once
from ansible_collections.twinstack.core.plugins.plugin_utils.run.settings import CALLBACK


class ActionModule(ActionBase):
    """Begins the notes, or makes the plan of them, shows and writes it."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; see the documentation of the plan module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "state": {"type": "str", "choices": ["begun", "made"], "default": "made"},
                "dest": {"type": "path", "required": True},
                "cluster": {"type": "str", "default": ""},
                "nodes": {"type": "dict", "default": {}},
                "control_plane": {"type": "list", "elements": "str", "default": []},
                "settings": {"type": "dict", "default": {}},
                "unknown": {"type": "list", "elements": "str", "default": []},
            }
        )
        folder = Path(str(arguments["dest"])).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        noted = folder / "plan.notes"
        if arguments["state"] == "begun":
            noted.unlink(missing_ok=True)
            return result | {"changed": False}
        found = notes.read(noted)
        noted.unlink(missing_ok=True)
        refused = [note.refused for note in found if note.refused]
        if refused:
            title = counted(len(refused), "to touch any host")
            return result | {"changed": False} | said_once(title, "\n".join([f"{title}:", *refused]))
        plan = model.make(
            cluster=arguments["cluster"],
            nodes=arguments["nodes"],
            control_plane=arguments["control_plane"],
            notes=found,
            settings=arguments["settings"],
            unknown=[reason for reason in arguments["unknown"] if reason],
        )
        (folder / "plan.json").write_text(json.dumps(model.as_dict(plan), indent=1) + "\n", encoding="utf-8")
        text = model.text(plan)
        if constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") != CALLBACK:
            Display().display(text)  # other callbacks show a result's text in a line of JSON
        return result | {"changed": False, "nothing": plan.nothing, "text": text, "plan": model.as_dict(plan)}
