"""Files that belong to whoever runs the tests."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState, FileSpec
from ansible_collections.twinstack.core.plugins.module_utils.host.state.reconcile import reconcile

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


def spec(path: Path, **changes: Any) -> FileSpec:
    """A file owned by whoever runs the test."""
    return FileSpec(str(path), **({"owner": OWNER, "group": GROUP} | changes))


def apply(*files: FileSpec, check: bool = False) -> list[str]:
    """Reconcile files and return what changed."""
    return [step.name for step in reconcile(DesiredState(files=list(files)), check)]
