"""Files of an inventory as Ansible finds them."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import files as inventory_files

from tests import inventories


def test_files_scan_skips_what_ansible_skips(tmp_path: Path) -> None:
    """Hidden files, copies, and folders that are no inventory."""
    files = {
        "hosts.yml": {"worker": {"hosts": {"w": {"ipv4": "x"}}}},
        "known_hosts": "w ssh-ed25519 AAAA\n",
        ".artifacts/run.json": {"a": 1},
        "group_vars/all/.hidden.yml": {"a": 1},
        "group_vars/all/old.yml~": {"a": 1},
        "group_vars/all/more/deep.yml": {"a": 1},
        "host_vars/w": {"b": 1},
        "group_vars/worker.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
    }
    scan = inventory_files.scan([inventories.write(tmp_path, files), tmp_path / "nowhere"])
    assert scan.hosts_file == "hosts.yml"
    assert {(one.name, one.where, one.kind, one.owner) for one in scan.variables} == {
        ("ipv4", "hosts.yml", "host", "w"),
        ("a", "group_vars/all/more/deep.yml", "group", "all"),
        ("b", "host_vars/w", "host", "w"),
    }
