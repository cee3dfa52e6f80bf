"""The lab's kernel: Debian's kernel source, built as a user-mode kernel with the project's configuration."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress


def build_kernel(work: Path, source_deb: Path, config: Path, say: Callable[[str], None]) -> Path:
    """Build the kernel; the path of the stripped executable.

    work: an empty folder. source_deb: a `linux-source-N.M` package. config: a defconfig for ARCH=um.
    Raises progress.CommandError with the compiler's last words.
    """
    unpacked = work / "source"
    progress.run(["dpkg-deb", "--extract", source_deb, unpacked])
    archives = sorted(unpacked.glob("usr/src/linux-source-*.tar.xz"))
    if len(archives) != 1:
        raise progress.CommandError(f"{source_deb.name}: found {len(archives)} source archives, expected one")
    say(f"unpacking {archives[0].name}")
    progress.run(["tar", "--extract", "--file", archives[0], "--directory", work])
    tree = work / archives[0].name.removesuffix(".tar.xz")
    shutil.rmtree(unpacked)
    shutil.copyfile(config, tree / ".config")
    make: list[str | Path] = ["make", "-C", tree, "ARCH=um", f"-j{os.cpu_count() or 1}"]
    progress.run([*make, "olddefconfig"])
    say("compiling the user-mode kernel")
    progress.run([*make, "linux"])
    kernel = work / "linux"
    progress.run(["strip", "--strip-all", "-o", kernel, tree / "linux"])
    shutil.rmtree(tree)
    return kernel
