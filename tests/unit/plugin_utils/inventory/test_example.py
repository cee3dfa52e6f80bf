"""The example inventory, from which everybody starts."""

from __future__ import annotations

import re

import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options

from tests.conftest import ROOT

EXAMPLE = ROOT / "inventory" / "example"
#: Options that are given to one run with -e, or belong to the lab.
PER_RUN = re.compile(
    r"lab_\w+|reset_\w+|istio_uninstall_(?:confirm|crds|namespaces)|ssh_known_hosts_accept\w*|bundle_rebuild|bump_\w+"
)


def test_the_example_explains_every_option_with_its_default() -> None:
    """Required ones are set, the others are commented out exactly as the roles have them."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((EXAMPLE / "group_vars/all").glob("*.yml")))
    commented = "\n".join(re.findall(r"^# ((?:[a-z]\w*_\w+: ?|  ).*)$", text, re.MULTILINE))
    commented = "\n".join(line for line in commented.splitlines() if not line.startswith("  -"))
    defaults = yaml.safe_load(commented)
    declared = role_options.load()
    assert defaults == {name: value for name, value in declared.defaults.items() if not PER_RUN.fullmatch(name)}
    required = {name for name, option in declared.options.items() if option.get("required")}
    assert {name for name in required if re.search(rf"^{name}: ", text, re.MULTILINE)} == required


def test_the_example_checks_host_keys() -> None:
    """No first contact is taken on trust."""
    connection = yaml.safe_load((EXAMPLE / "group_vars/all/connection.yml").read_text(encoding="utf-8"))
    assert "StrictHostKeyChecking=yes" in connection["ansible_ssh_common_args"]
    assert "known_hosts" in connection["ansible_ssh_common_args"]
