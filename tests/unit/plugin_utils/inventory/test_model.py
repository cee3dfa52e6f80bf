"""Where an inventory says that a variable is set."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import FALLBACK, Inventory


def test_a_variable_in_a_file_that_cannot_be_read_is_still_judged() -> None:
    """Names in an encrypted file are known to Ansible only; the scan of files has none."""
    inventory = Inventory({"all": ()}, {}, {})
    assert inventory.where("twinstack_mtu") == FALLBACK
