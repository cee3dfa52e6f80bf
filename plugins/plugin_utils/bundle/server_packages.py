"""What a fresh Debian server already holds: the lab's base image is made of it, package sets leave it out."""

from __future__ import annotations

# One list for both, so that a package set which works in the lab is complete on a real server too.
BASELINE_PACKAGES: tuple[str, ...] = (
    "ca-certificates",
    "curl",
    "dbus",
    "iproute2",
    "iputils-ping",
    "kmod",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
)
