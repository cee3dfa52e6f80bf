"""Debian packages: what is missing is installed out of the bundle's archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState, Step

LOCK_SECONDS = 300.0  # as long as a server's own first updates may hold dpkg's lock


def installed_packages(names: Sequence[str]) -> dict[str, str]:
    """Versions of those packages that are installed and configured, by name."""
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${db:Status-Abbrev}\n", *names],
        capture_output=True,
        text=True,
        check=False,  # exit status 1 only says that some name is unknown
    )
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2].startswith("ii")}


def install_packages(archive: str, missing: Sequence[dict[str, str]], record: dict[str, Any]) -> None:
    """Install .deb files out of a tar archive, services held back, and record what is new."""
    record["packages"] = sorted({*record["packages"], *(package["package"] for package in missing)})
    host_record.save(record)  # before the change: a run that dies in dpkg must not forget them
    wanted = {package["file"] for package in missing}
    with tempfile.TemporaryDirectory(prefix="twinstack-debs-", dir="/var/tmp") as folder:
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if os.path.basename(member.name) in wanted]
            for member in members:
                if not member.isfile():
                    raise HostStateError(f"{archive}: {member.name} is not a plain file")
                source = tar.extractfile(member)
                assert source is not None
                with open(os.path.join(folder, os.path.basename(member.name)), "wb") as target:
                    shutil.copyfileobj(source, target)
        paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        if len(paths) != len(wanted):
            raise HostStateError(f"{archive}: found {len(paths)} of {len(wanted)} wanted packages; rebuild the bundle")
        # Packages' scripts have systemd reload all units, each time most of a second, and start services. None of
        # ours is needed here: what systemd has not loaded it reads when it is needed.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "SYSTEMD_OFFLINE": "1"}
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            # dpkg syncs each file before it calls a package installed, so a power cut leaves none half there.
            done = subprocess.run(
                ["dpkg", "--install", "--force-confold", *paths],
                capture_output=True,
                text=True,
                env=environment,
                check=False,
            )
            if done.returncode == 0:
                break
            if "locked by another process" not in done.stderr or time.monotonic() > deadline:
                raise HostStateError(f"dpkg --install: exit status {done.returncode}: {done.stderr[-2000:]}")
            time.sleep(2)  # the host's own updates are at work, or a run's dpkg that was cut off from its controller


def package_steps(desired: DesiredState, record: dict[str, Any]) -> list[Step]:
    """One step that installs whatever is missing; a newer version that is already there is left alone."""
    have = installed_packages([package["package"] for package in desired.packages]) if desired.packages else {}
    missing = [package for package in desired.packages if package["package"] not in have]
    if not missing:
        return []
    names = "\n".join(f"{package['package']} {package['version']}" for package in missing) + "\n"
    return [Step("packages", "packages", "", names, lambda: install_packages(desired.package_archive, missing, record))]
