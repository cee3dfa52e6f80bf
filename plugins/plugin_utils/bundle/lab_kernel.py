"""The lab's kernel: Debian's kernel source, built as a user-mode kernel with the project's configuration and clocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress

VDSO = Path("arch/x86/um/vdso")  # where a user-mode kernel keeps the code that it gives to programs
# What makes room there for the project's own clocks: file, text that is in it once, text in its place.
CLOCK_EDITS = (
    ("vma.c", "static struct page *um_vdso;", "struct page *um_vdso;"),
    ("Makefile", "obj-y += vdso.o vma.o\n", "obj-y += vdso.o vma.o host_clock.o\n"),
)


def add_clocks(tree: Path, folder: Path) -> None:
    """Put the project's clocks into a kernel's tree: um_vdso.c in place of the kernel's own, host_clock.c beside it.

    Raises progress.CommandError when the tree is not as expected.
    """
    for name, old, new in CLOCK_EDITS:
        text = (tree / VDSO / name).read_text(encoding="utf-8")
        if text.count(old) != 1:
            where = f"{tree.name}/{VDSO / name}"
            raise progress.CommandError(f"{where}: found {text.count(old)} times {old.strip()!r}, expected once")
        (tree / VDSO / name).write_text(text.replace(old, new), encoding="utf-8")
    for path in sorted(folder.glob("*.[ch]")):
        shutil.copyfile(path, tree / VDSO / path.name)


def build_kernel(work: Path, source_deb: Path, folder: Path, say: Callable[[str], None]) -> Path:
    """Build the kernel; the path of the stripped executable.

    work: an empty folder. source_deb: a `linux-source-N.M` package. folder: a defconfig for ARCH=um, and the clocks.
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
    shutil.copyfile(folder / "uml.defconfig", tree / ".config")
    add_clocks(tree, folder)
    make: list[str | Path] = ["make", "-C", tree, "ARCH=um", f"-j{os.cpu_count() or 1}"]
    progress.run([*make, "olddefconfig"])
    say("compiling the user-mode kernel")
    progress.run([*make, "linux"])
    kernel = work / "linux"
    progress.run(["strip", "--strip-all", "-o", kernel, tree / "linux"])
    shutil.rmtree(tree)
    return kernel
