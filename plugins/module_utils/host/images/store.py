"""Images in containerd's namespace k8s.io: what is there, and imports that run beside everything else, one by one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping

from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content

UNITS = "twinstack-image-import-*.service"  # one for each group of images in the bundle
OWN_GROUPS = ("control_plane", "worker")  # whose images no host of theirs can be without, in the bundle's words
SYSTEMD = "/run/systemd/system"  # there when systemd runs the host (sd_booted(3)); else there are no units
LOCK = "/run/twinstack/images.lock"
CTR = image_content.CTR
COUNTER = "image_content.py"
ARCHIVE_FOLDER = image_content.FOLDER  # below the store of artifacts, which a reset removes as a whole


class ImageStoreError(Exception):
    """ctr or the import failed; the message holds its last words."""


def filters(images: Mapping[str, str]) -> list[str]:
    """Arguments of `ctr images ls` that select exactly these: digest by name, in containerd's filter language."""
    return [f'name=="{name}",target.digest=="{digest}"' for name, digest in sorted(images.items())]


def present(images: Mapping[str, str], ctr: str = CTR) -> dict[str, str]:
    """Those of these images (digest by name) that kubelet can use; none when containerd is not there (a fresh host).

    Names alone are listed: for a table with digests ctr reads the content of every image, which takes seconds on a
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


def unit(group: str) -> str:
    """Name of the unit that imports a group's images."""
    return UNITS.replace("*", group.replace("_", "-"))


def unit_states(names: str = UNITS) -> dict[str, str]:
    """What ``parse_states`` says of the import units that systemd knows, or of the one of this name."""
    if not os.path.isdir(SYSTEMD):
        return {}
    argv = ["systemctl", "show", "--property=Id,ActiveState,Result", names]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageStoreError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr.strip()[-1000:]}")
    return parse_states(done.stdout)


def parse_states(text: str) -> dict[str, str]:
    """``running`` or how it ended (``success``, ``exit-code`` ...) of each unit that ``systemctl show`` reports."""
    states = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        busy = values.get("ActiveState") in ("active", "activating", "deactivating")
        if "Id" in values:
            states[values["Id"]] = "running" if busy else values.get("Result", "success")
    return states


def running() -> list[str]:
    """Import units that are at work or wait for others."""
    return sorted(name for name, state in unit_states().items() if state == "running")


def wait_for_imports(timeout: float) -> None:
    """Wait until no import is at work. Raises ImageStoreError after timeout seconds."""
    deadline = time.monotonic() + timeout
    while names := running():
        if time.monotonic() > deadline:
            raise ImageStoreError(f"{names[0]}: still at work after {timeout:.0f} s. Try: journalctl --unit {names[0]}")
        time.sleep(0.2)


def script(
    archive: str,
    group: str,
    files: Mapping[str, list[int]],
    ctr: str = CTR,
    lock: str = LOCK,
    look_again: Iterable[str] = (),
) -> str:
    """What an import unit runs: one import at a time, and what was imported is recorded.

    files: number and summed size of the files of each image in the archive, by its digest. look_again: digests of those
    that replace damaged ones. `ctr` writes through to the disk before it ends (a power cut would else leave empty files
    behind a complete list). After a repair, kubelet waits for the images.
    """
    images = [word for digest, (number, size) in files.items() for word in (digest, str(number), str(size))]
    again = sorted(look_again)
    images += [image_content.LOOK_AGAIN, *again] if again else []
    counter = os.path.join(os.path.dirname(archive), COUNTER)
    steps = [
        shlex.join(
            [ctr, "--namespace", "k8s.io", "images", "import", "--local", "--sync-fs", "--digests=false", archive]
        ),
        shlex.join([sys.executable, counter, *images]),
    ]
    if group in OWN_GROUPS or again:
        steps.append("{ test ! -e /var/lib/kubelet/config.yaml || systemctl start kubelet.service; }")
    return shlex.join(["flock", lock, "/bin/sh", "-c", " && ".join(steps)])


def start_import(archive: str, group: str, files: Mapping[str, list[int]], look_again: Iterable[str] = ()) -> None:
    """Import a group's archive in a transient unit and return at once; the unit removes the archive when it is done.

    look_again: digests of damaged images that it replaces; they are judged when it has ended.
    """
    os.makedirs(os.path.dirname(LOCK), mode=0o755, exist_ok=True)
    counter = os.path.join(os.path.dirname(archive), COUNTER)
    with open(counter + ".new", "w", encoding="utf-8") as stream:
        stream.write(image_content.__loader__.get_source(image_content.__name__))  # type: ignore[union-attr]
    os.replace(counter + ".new", counter)  # an import that ends now may be about to run it
    name = unit(group)
    subprocess.run(["systemctl", "reset-failed", name], capture_output=True, check=False)
    argv = ["systemd-run", "--unit", name, "--property=Type=oneshot", "--no-block"]
    argv += [f"--property=ExecStopPost=/bin/rm -f {archive}", "/bin/sh", "-c"]
    argv.append(script(archive, group, files, look_again=look_again))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageStoreError(f"systemd-run: exit status {done.returncode}: {done.stderr.strip()[-1000:]}")


def wait_import(group: str, wanted: dict[str, str], timeout: float) -> list[str]:
    """Wait until a group's import ends; names still lacking. Raises ImageStoreError on failure or after timeout s."""
    name = unit(group)
    deadline = time.monotonic() + timeout
    while (outcome := unit_states(name).get(name, "success")) == "running":
        if time.monotonic() > deadline:
            raise ImageStoreError(f"{name}: still at work after {timeout:.0f} s. Try: journalctl --unit {name}")
        time.sleep(0.2)
    still = lacking(wanted, present(wanted))
    if still and outcome != "success":
        raise ImageStoreError(f"{name}: ended with {outcome}. Try: journalctl --unit {name}")
    return still
