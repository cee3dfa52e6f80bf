"""Images in containerd's namespace k8s.io: what is there, and an import that runs beside everything else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping

from ansible_collections.twinstack.core.plugins.module_utils import image_content

UNIT = "twinstack-image-import.service"
ARCHIVE_FOLDER = image_content.FOLDER  # below the store of artifacts, which a reset removes as a whole


class ImageStoreError(Exception):
    """ctr or the import failed; the message holds its last words."""


def filters(images: Mapping[str, str]) -> list[str]:
    """Arguments of `ctr images ls` that select exactly these: digest by name, in containerd's filter language."""
    return [f'name=="{name}",target.digest=="{digest}"' for name, digest in sorted(images.items())]


def present(images: Mapping[str, str], ctr: str = "/usr/local/bin/ctr") -> dict[str, str]:
    """Those of these images (digest by name) that kubelet can use; none when containerd is not there (a fresh host).

    Names alone are asked for: for a table with digests ctr reads the content of every image, which takes seconds on a
    busy host.
    """
    if not images or not os.path.exists(ctr) or not os.path.exists("/run/containerd/containerd.sock"):
        return {}
    argv = [ctr, "--namespace", "k8s.io", "images", "ls", "--quiet", *filters(images)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise ImageStoreError(f"ctr images ls: exit status {done.returncode}: {done.stderr.strip()[-1000:]}")
    return {name: images[name] for name in done.stdout.split() if name in images}


def lacking(wanted: dict[str, str], have: dict[str, str]) -> list[str]:
    """Names of wanted images that are absent or have another digest."""
    return sorted(name for name, digest in wanted.items() if have.get(name) != digest)


def unit_state() -> tuple[str, str]:
    """ActiveState and Result of the import unit; ("inactive", "success") when there is none."""
    done = subprocess.run(
        ["systemctl", "show", "--property=ActiveState,Result", UNIT], capture_output=True, text=True, check=False
    )
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return values.get("ActiveState", "inactive"), values.get("Result", "success")


def start_import(archive: str, files: Mapping[str, list[int]], ctr: str = "/usr/local/bin/ctr") -> None:
    """Import an archive in a transient unit and return at once; the unit removes the archive when it is done.

    files: number and summed size of the files of each image in the archive, by its digest. `ctr` writes through to the
    disk before it ends (a power cut would else leave empty files behind a complete list), and only then the images are
    recorded.
    """
    counter = os.path.join(os.path.dirname(archive), "image_content.py")
    with open(counter, "w", encoding="utf-8") as stream:
        stream.write(image_content.__loader__.get_source(image_content.__name__))  # type: ignore[union-attr]
    images = [word for digest, (number, size) in files.items() for word in (digest, str(number), str(size))]
    # After a repair kubelet is stopped. On a host that is no node yet it is none of this unit's business.
    kubelet = "test ! -e /var/lib/kubelet/config.yaml || systemctl start kubelet.service"
    steps = (
        [ctr, "--namespace", "k8s.io", "images", "import", "--local", "--sync-fs", "--digests=false", archive],
        [sys.executable, counter, *images],
    )
    subprocess.run(["systemctl", "reset-failed", UNIT], capture_output=True, check=False)
    argv = ["systemd-run", "--unit", UNIT, "--property=Type=oneshot", "--no-block"]
    argv += [f"--property=ExecStopPost=/bin/rm -f {archive}"]
    argv += ["/bin/sh", "-c", " && ".join([*map(shlex.join, steps), kubelet])]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageStoreError(f"systemd-run: exit status {done.returncode}: {done.stderr.strip()[-1000:]}")


def wait_import(wanted: dict[str, str], timeout: float) -> list[str]:
    """Wait until the import unit ends; names still lacking. Raises ImageStoreError on failure or after timeout s."""
    deadline = time.monotonic() + timeout
    while True:
        state, outcome = unit_state()
        if state not in ("active", "activating", "deactivating"):
            break
        if time.monotonic() > deadline:
            raise ImageStoreError(f"{UNIT}: still {state} after {timeout:.0f} s. Try: journalctl --unit {UNIT}")
        time.sleep(0.2)
    still = lacking(wanted, present(wanted))
    if still and outcome != "success":
        raise ImageStoreError(f"{UNIT}: ended with {outcome}. Try: journalctl --unit {UNIT}")
    return still
