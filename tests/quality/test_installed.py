"""The collection as users get it: built, installed, run from elsewhere, without this repository's ansible.cfg."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, run

CHECKED = "validate_inventory"


def start(*arguments: str | Path, cwd: Path, collections: str = "") -> Run:
    """Run ansible-playbook in a folder, with nothing in the environment that leads back to the repository."""
    environment = {"ANSIBLE_COLLECTIONS_PATH": collections or str(cwd / "none")}
    command = ["env", "--unset=ANSIBLE_CONFIG", "ansible-playbook", *arguments]
    return run(*command, cwd=cwd, environment=environment)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A copy of the example, as a user makes it."""
    left = shutil.ignore_patterns(".artifacts", ".secrets", ".known_hosts")
    return Path(shutil.copytree(ROOT / "inventory" / "example", tmp_path / "prod", ignore=left))


def test_playbooks_are_called_by_their_full_names(tmp_path: Path, inventory: Path) -> None:
    """From an installed collection, in any folder: the check runs, and the whole run is at least well-formed."""
    run("ansible-galaxy", "collection", "build", "--output-path", tmp_path / "built").succeeded()
    [archive] = (tmp_path / "built").glob("*.tar.gz")
    place = tmp_path / "collections"
    run(
        "ansible-galaxy", "collection", "install", "--offline", "--force", "-p", place, archive, cwd=tmp_path
    ).succeeded()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = start("-i", inventory, "twinstack.core.validate", cwd=elsewhere, collections=str(place)).succeeded()
    assert CHECKED in done.output
    assert "Try: export ANSIBLE_STDOUT_CALLBACK=twinstack.core.run_report" in done.output.replace("\n", " ")
    playbooks = sorted((ROOT / "playbooks").rglob("*.yml"))
    paths = [path.relative_to(ROOT / "playbooks").with_suffix("") for path in playbooks]
    names = [".".join(["twinstack", "core", *path.parts]) for path in paths if path.name != "bump"]
    checked = start("--list-tasks", "-i", inventory, *names, cwd=elsewhere, collections=str(place)).succeeded()
    assert "Create the cluster" in checked.output
    # A run has left its artifacts, a program among them, which Ansible would start if it took it for an inventory.
    program = inventory / ".artifacts" / "bin" / "kubectl"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    (inventory / ".artifacts" / "report.xml").write_text("<testsuites/>")
    (inventory / ".known_hosts").write_text("192.0.2.1 ssh-ed25519 AAAA\n")
    again = start("-i", inventory, "twinstack.core.validate", cwd=elsewhere, collections=str(place)).succeeded()
    assert again.output == done.output and not (tmp_path / "started").exists()
    # An earlier release has left them under other names: refused once, with the commands.
    (inventory / ".artifacts").rename(inventory / "artifacts")
    refused = start("-i", inventory, "twinstack.core.validate", cwd=elsewhere, collections=str(place))
    assert refused.code and refused.output.count(f"mv {inventory}/artifacts {inventory}/.artifacts") == 1


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/validate.yml", "playbooks/istio/uninstall.yml"])
def test_a_checkout_is_used_from_any_folder(playbook: str, inventory: Path) -> None:
    """``cd /`` first: there is no ansible.cfg, and the collection is found beside the playbook."""
    done = start("--list-tasks", "-i", inventory, ROOT / playbook, cwd=Path("/"))
    assert "twinstack" in done.succeeded().output.lower()


def test_a_checkout_that_everybody_may_write_to_works(tmp_path: Path, inventory: Path) -> None:
    """Ansible ignores an ansible.cfg in such a folder, and says so in its first line."""
    place = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", ".artifacts", "*cache*", ".ansible")
    shutil.copytree(ROOT, place, symlinks=True, ignore=ignored)
    place.chmod(0o777)
    done = start("-i", inventory, "playbooks/validate.yml", cwd=place).succeeded()
    assert done.output.startswith("[WARNING]: Ansible is being run in a world writable directory")
    assert CHECKED in done.output


def test_a_cluster_without_an_inventory_is_asked_for_by_its_kubeconfig_alone(tmp_path: Path) -> None:
    """As the playbook's head says; here there is no cluster, which is what the run has to end with."""
    given = ["-e", f"verify_kubeconfig={tmp_path}/none", "-e", f"verify_report_dir={tmp_path}"]
    done = start("-i", "localhost,", ROOT / "playbooks" / "verify.yml", *given, cwd=tmp_path)
    assert done.code
    assert f"{tmp_path}/none" in done.output and "has no attribute" not in done.output
