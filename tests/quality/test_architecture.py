"""Who imports whom: the installer, the verification and the scenarios share names, and no code of each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.quality.project import imports

PLUGINS = ROOT / "plugins"
VERIFY = "module_utils.verify"
#: Of the verification, what talks to a cluster and listens outside of it.
SHARED = (f"{VERIFY}.cluster", f"{VERIFY}.outside")


def within(folder: str) -> list[Path]:
    """Python files of a folder of ``plugins``."""
    found = sorted((PLUGINS / folder).rglob("*.py"))
    assert found, folder
    return found


def importing(folder: str, *packages: str) -> dict[str, list[str]]:
    """Files of a folder that import one of these packages, each with what it imports of them."""
    found = {
        str(path.relative_to(PLUGINS)): sorted(
            name for name in imports(path) if any(f"{name}.".startswith(f"{package}.") for package in packages)
        )
        for path in within(folder)
    }
    return {path: names for path, names in found.items() if names}


def test_imports_are_found() -> None:
    """Whatever the form of the statement; otherwise nothing below could fail."""
    assert importing("module_utils/verify", VERIFY)
    assert "action/verify_unchanged.py" in importing("action", "modules.verify_unchanged")


INSTALLER = ["plugin_utils", "filter", "lookup", "action", "callback", "module_utils/host", "module_utils/kube"]


@pytest.mark.parametrize("folder", [*INSTALLER, "module_utils/istio", "module_utils/lab"])
def test_the_installer_does_not_import_the_verification(folder: str) -> None:
    """What both say is in module_utils/contract.py. Actions that run a module's code import that module."""
    assert importing(folder, VERIFY) == {}


@pytest.mark.parametrize("package", ["plugin_utils", "module_utils.scenarios"])
def test_the_verification_imports_neither_the_installer_nor_the_scenarios(package: str) -> None:
    """It knows a cluster by the API alone, whatever created it."""
    assert importing("module_utils/verify", package) == {}


def test_scenarios_share_no_probes_with_the_verification() -> None:
    """Nothing of its plan, its groups and its model."""
    foreign = {
        path: [name for name in names if not name.startswith(SHARED)]
        for path, names in importing("module_utils/scenarios", VERIFY).items()
    }
    assert not {path: names for path, names in foreign.items() if names}


def test_modules_that_import_the_verification_are_its_own() -> None:
    """And that of the scenarios, which share its way into a cluster, as the comparison of proxies does."""
    own = {"modules/verify.py", "modules/verify_unchanged.py", "modules/scenarios.py", "modules/proxy_config.py"}
    assert set(importing("modules", VERIFY)) <= own


@pytest.mark.parametrize("name", ["contract", "families", "tracing"])
def test_what_is_shared_imports_none_of_its_users(name: str) -> None:
    """Else two of them would share code again."""
    assert imports(PLUGINS / "module_utils" / f"{name}.py") == set()
