#!/usr/bin/python
# Apache-2.0
"""Render Istio's objects with the charts that istioctl holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_render
short_description: Render Istio's Kubernetes objects without a network
version_added: 0.1.0
description:
  - Gives each document to C(istioctl manifest generate) and returns all objects that come out, without the
    IstioOperator documents that old builds print and that are no objects of the cluster.
  - Talks to no cluster and changes nothing.
  - Runs on the controller.
options:
  renders:
    description: What to render.
    type: list
    elements: dict
    required: true
    suboptions:
      istioctl:
        description: Path of the istioctl whose charts are used.
        type: path
        required: true
      operator:
        description: An IstioOperator document.
        type: dict
        required: true
  kept_in:
    description:
      - Folder for what was rendered, under the hash of the istioctl and of the document. The same two are not rendered
        again, and only the names of the files come back. Without it nothing is kept.
    type: path
  timeout:
    description: Longest run of one istioctl in seconds.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    details: There is nothing to change.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Render the definitions of Istio's kinds
  twinstack.core.istio_render:
    renders:
      - istioctl: /usr/local/bin/istioctl
        operator:
          apiVersion: install.istio.io/v1alpha1
          kind: IstioOperator
          spec: {profile: empty, components: {base: {enabled: true}}}
  register: rendered
"""

RETURN = r"""
objects:
  description: The objects, in the order in which istioctl printed them.
  returned: when they are not kept
  type: list
  elements: dict
files:
  description: Files with the objects of each document, for option O(twinstack.core.apply#module:files).
  returned: when they are kept
  type: list
  elements: str
"""

import hashlib
import json
import os
import subprocess
import traceback
from functools import lru_cache
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING = ""
try:
    import yaml

    LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError:
    MISSING = traceback.format_exc()

SPEC: dict[str, Any] = {
    "renders": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "istioctl": {"type": "path", "required": True},
            "operator": {"type": "dict", "required": True},
        },
    },
    "kept_in": {"type": "path"},
    "timeout": {"type": "float", "default": 60},
}


class RenderError(Exception):
    """istioctl could not render; the message holds its own words."""


def render(istioctl: str, operator: dict[str, Any], timeout: float) -> list[dict[str, Any]]:
    """The objects of one document."""
    argv = [istioctl, "manifest", "generate", "--filename", "-"]
    try:
        done = subprocess.run(
            argv, input=json.dumps(operator), capture_output=True, text=True, timeout=timeout, check=False
        )
    except OSError as error:
        raise RenderError(f"{istioctl}: found {error.strerror}, expected a binary that runs here") from error
    except subprocess.TimeoutExpired as error:
        raise RenderError(f"{istioctl}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise RenderError(f"{istioctl} manifest generate: exit status {done.returncode}: {words}")
    found = yaml.load_all(done.stdout, Loader=LOADER)
    return [item for item in found if item and item.get("kind") != "IstioOperator"]


@lru_cache  # a hundred megabytes, and every document needs it
def digest(istioctl: str) -> str:
    """SHA-256 of a binary."""
    found = hashlib.sha256()
    try:
        with open(istioctl, "rb") as stream:
            while chunk := stream.read(1 << 20):
                found.update(chunk)
    except OSError as error:
        raise RenderError(f"{istioctl}: found {error.strerror}, expected a binary that runs here") from error
    return found.hexdigest()


def kept(folder: str, istioctl: str, operator: dict[str, Any]) -> str:
    """Path of the file that keeps what this istioctl makes of this document, whether it is there or not."""
    words = json.dumps(operator, sort_keys=True) + digest(istioctl)
    return os.path.join(folder, f"{hashlib.sha256(words.encode()).hexdigest()}.json")


def rendered(folder: str, istioctl: str, operator: dict[str, Any], timeout: float) -> str:
    """The file with the objects of one document, which an earlier run may have left."""
    path = kept(folder, istioctl, operator)
    try:
        with open(path, encoding="utf-8") as stream:
            json.load(stream)
            return path
    except (OSError, ValueError):  # absent, or cut off while it was written
        objects = render(istioctl, operator, timeout)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(objects, stream)
    os.replace(path + ".new", path)
    return path


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    if MISSING:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=MISSING)
    folder, timeout = module.params["kept_in"], module.params["timeout"]
    given = [(one["istioctl"], one["operator"], timeout) for one in module.params["renders"]]
    try:
        if folder:
            module.exit_json(changed=False, files=[rendered(folder, *one) for one in given])
        objects = [item for one in given for item in render(*one)]
    except (RenderError, yaml.YAMLError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, objects=objects)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
