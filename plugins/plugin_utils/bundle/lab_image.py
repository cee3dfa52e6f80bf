"""The disk image that all lab hosts start from: what a fresh Debian server holds, and the lab's overlay."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress

DISK_GIB = 16  # sparse: images, etcd and logs of a host come to less than 4 GiB
ENABLED_UNITS = (
    "lab-cpuinfo.service",
    "lab-credstore.service",
    "lab-identity.service",
    "ssh.service",
    "systemd-network-generator.service",
    "systemd-networkd.service",
)
# A lab host waits for nobody: its address is static, and no timer may work beside a measurement.
MASKED_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer", "systemd-networkd-wait-online.service")


def build_base_image(
    work: Path, suite: str, sources: Sequence[str], packages: Sequence[str], overlay: Path, say: Callable[[str], None]
) -> Path:
    """Make the image; the path of a sparse ext4 file.

    work: an empty folder. sources: lines of a sources.list, the first one the suite itself. overlay: a folder whose
    files are copied over the root. Raises progress.CommandError. Needs root, because the files belong to root.
    """
    root = work / "root"
    say("installing a minimal Debian server")
    progress.run(["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, root, *sources])
    chroot: list[str | Path] = ["chroot", root]
    progress.run([*chroot, "useradd", "--create-home", "--shell", "/bin/bash", "--uid", "1000", "ops"])
    for path in sorted(overlay.rglob("*")):
        target = root / path.relative_to(overlay)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.unlink(missing_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o755 if path.read_bytes().startswith(b"#!") else 0o644)
    (root / "etc/sudoers.d/ops").chmod(0o440)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()  # each host gets its own from the lab
    # An empty machine-id is filled at first boot, so that three copies are three machines.
    (root / "etc/machine-id").write_text("", encoding="utf-8")
    (root / "etc/hostname").unlink(missing_ok=True)
    progress.run([*chroot, "systemctl", "enable", *ENABLED_UNITS])
    progress.run([*chroot, "systemctl", "mask", *MASKED_UNITS])
    image = work / "base.ext4"
    with image.open("wb") as stream:
        stream.truncate(DISK_GIB << 30)
    say("writing the disk image")
    progress.run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-E", "lazy_itable_init=1", "-d", root, image])
    shutil.rmtree(root)
    return image
