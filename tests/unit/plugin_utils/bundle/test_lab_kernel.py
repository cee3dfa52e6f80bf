"""The lab's kernel: the project's clocks in a kernel's tree, and how it is built, without compiling anything."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import lab_kernel, progress

from tests.conftest import ROOT

FOLDER = ROOT / "bundle" / "lab" / "kernel"
VMA = "#include <linux/mm.h>\nstatic struct page *um_vdso;\nvoid f(void) { um_vdso = 0; }\n"
MAKEFILE = "obj-y += vdso.o vma.o\nCFLAGS_um_vdso.o := -O2\n"


def tree(folder: Path, vma: str = VMA, makefile: str = MAKEFILE) -> Path:
    """That part of a kernel's tree which is changed."""
    root = folder / "linux-source-6.12"
    vdso = root / lab_kernel.VDSO
    vdso.mkdir(parents=True)
    (vdso / "vma.c").write_text(vma, encoding="utf-8")
    (vdso / "Makefile").write_text(makefile, encoding="utf-8")
    (vdso / "um_vdso.c").write_text("the kernel's own\n", encoding="utf-8")
    return root


def test_the_projects_clocks_take_the_place_of_the_kernels(tmp_path: Path) -> None:
    """Two lines change and no other, and every source of the folder is there, headers too."""
    root = tree(tmp_path)
    lab_kernel.add_clocks(root, FOLDER)
    vdso = root / lab_kernel.VDSO
    assert (vdso / "vma.c").read_text(encoding="utf-8") == VMA.replace("static struct", "struct")
    assert (vdso / "Makefile").read_text(encoding="utf-8") == MAKEFILE.replace("vma.o", "vma.o host_clock.o")
    sources = {path.name: path.read_bytes() for path in FOLDER.glob("*.[ch]")}
    assert {"um_vdso.c", "host_clock.c", "host_clock.h"} == set(sources)
    assert {name: (vdso / name).read_bytes() for name in sources} == sources
    assert not (vdso / "uml.defconfig").exists()


@pytest.mark.parametrize(
    ("vma", "makefile", "message"),
    [
        ("", MAKEFILE, "vma.c: found 0 times 'static struct page *um_vdso;', expected once"),
        (VMA * 2, MAKEFILE, "vma.c: found 2 times 'static struct page *um_vdso;', expected once"),
        (VMA, "obj-y += vdso.o\n", "Makefile: found 0 times 'obj-y += vdso.o vma.o', expected once"),
    ],
)
def test_a_tree_that_is_not_as_expected_is_refused(tmp_path: Path, vma: str, makefile: str, message: str) -> None:
    """A kernel with its own clocks would boot and be slow, and nobody would know why."""
    with pytest.raises(progress.CommandError) as caught:
        lab_kernel.add_clocks(tree(tmp_path, vma, makefile), FOLDER)
    assert str(caught.value) == f"linux-source-6.12/arch/x86/um/vdso/{message}"


def source_deb(folder: Path, *archives: str) -> Path:
    """A package with these archives of a kernel's source."""
    root = folder / "deb"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/src").mkdir(parents=True)
    fields = ["Package: linux-source-6.12", "Version: 1", "Architecture: all", "Maintainer: nobody <n@example.org>"]
    control = "\n".join([*fields, "Description: made for a test\n"])
    (root / "DEBIAN/control").write_text(control, encoding="utf-8")
    tree(folder / "sources")
    for name in archives:
        command = ["tar", "-C", str(folder / "sources"), "-cJf", str(root / "usr/src" / name), "linux-source-6.12"]
        subprocess.run(command, check=True)
    deb = folder / "linux-source-6.12_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(deb)], check=True, capture_output=True)
    return deb


def test_the_kernel_is_built_with_the_projects_configuration_and_stripped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dpkg-deb and tar for real; make and strip note what they are given."""
    run = progress.run
    said: list[str] = []
    called: list[list[str]] = []
    work = tmp_path / "work"
    work.mkdir()

    def played(argv: Sequence[str | Path], **options: Any) -> str:
        words = [str(word) for word in argv]
        if words[0] not in ("make", "strip"):
            return run(argv, **options)
        called.append(words)
        if words[0] == "strip":
            Path(words[words.index("-o") + 1]).write_bytes(Path(words[-1]).read_bytes()[:3])
            return ""
        root = Path(words[words.index("-C") + 1])
        assert (root / ".config").read_bytes() == (FOLDER / "uml.defconfig").read_bytes()
        assert (root / lab_kernel.VDSO / "host_clock.c").exists(), "compiled without the clocks"
        if words[-1] == "linux":
            (root / "linux").write_bytes(b"ELF and symbols")
        return ""

    monkeypatch.setattr(progress, "run", played)
    deb = source_deb(tmp_path, "linux-source-6.12.tar.xz")
    made = lab_kernel.build_kernel(work, deb, FOLDER, said.append)
    assert made.read_bytes() == b"ELF"
    assert [words[-1] for words in called[:2]] == ["olddefconfig", "linux"]
    assert all("ARCH=um" in words for words in called[:2])
    assert [path.name for path in work.iterdir()] == [made.name], "a gigabyte of sources stays"
    assert said == ["unpacking linux-source-6.12.tar.xz", "compiling the user-mode kernel"]


@pytest.mark.parametrize("archives", [(), ("linux-source-6.12.tar.xz", "linux-source-6.13.tar.xz")])
def test_a_package_without_its_one_archive_is_refused(tmp_path: Path, archives: tuple[str, ...]) -> None:
    (tmp_path / "work").mkdir()
    message = f"^linux-source-6.12_1_all.deb: found {len(archives)} source archives, expected one$"
    with pytest.raises(progress.CommandError, match=message):
        lab_kernel.build_kernel(tmp_path / "work", source_deb(tmp_path, *archives), FOLDER, lambda _line: None)
