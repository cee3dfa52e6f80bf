"""Debian layers under images: unpacked packages, trimmed, with nothing ever run in them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian, progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step

# Dependencies that only maintainer scripts use, which are never run here. check_libraries sees when one is needed.
UNUSED_PACKAGES = {
    "adduser",
    "base-passwd",
    "debconf",
    "init-system-helpers",
    "libaudit-common",
    "libdb5.3t64",
    "libdebconfclient0",
    "libgdbm-compat4t64",
    "libgdbm6t64",
    "libpam-modules",
    "libpam-modules-bin",
    "libperl5.40",
    "libsemanage-common",
    "libsemanage2",
    "libsepol2",
    "login.defs",
    "mawk",
    "openssl",
    "openssl-provider-legacy",
    "passwd",
    "perl",
    "perl-base",
    "perl-modules-5.40",
    "runit-helper",
    "sysuser-helper",
}
TRIMMED = (
    "etc/cron*",
    "etc/init.d",
    "etc/runit",
    "etc/sv",
    "etc/update-motd.d",
    "usr/include",
    "usr/lib/runit",
    "usr/lib/sysusers.d",
    "usr/lib/systemd",
    "usr/lib/tmpfiles.d",
    "usr/lib/udev",
    "usr/lib/x86_64-linux-gnu/audit",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/x86_64-linux-gnu/krb5",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/ca-certificates",
    "usr/share/doc-base",
    "usr/share/gcc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/sbin/arpd",
    "usr/share/zsh",
    "var/cache",
    "var/lib/dpkg",
)
# The tables that both kube-proxy and Calico's own detection use on a Debian 13 host, whose kubelet uses nft too.
DEFAULT_TABLES = "nft"
TABLE_COMMANDS = (
    *(f"{family}{command}" for family in ("iptables", "ip6tables") for command in ("", "-save", "-restore")),
)
ACCOUNTS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def layer(name: str, packages: Sequence[str], apt: debian.PrivateApt, without: Sequence[str] = ()) -> Step:
    """A step that makes the layer as one uncompressed tar.

    without: dependencies to leave out besides UNUSED_PACKAGES, because nothing in this layer calls them.
    """

    def run(build: BuildContext) -> BuildResult:
        closure = apt.closure(packages)
        wanted = [package for package in closure if package.name not in UNUSED_PACKAGES.union(without)]
        files = apt.download(wanted, build.folder / "debs")
        root = build.folder / "root"
        # base-files first: it brings the links from /bin to /usr/bin that the others rely on.
        for package in sorted(wanted, key=lambda item: item.name != "base-files"):
            debian.unpack(files[package.name], root)
        finish(root)
        check_libraries(root)
        archive = build.folder / f"{name}.tar"
        write_root_tar(root, archive)
        return BuildResult(archive, {"packages": [f"{package.name} {package.version}" for package in wanted]})

    inputs: dict[str, Any] = {
        "recipe": "debian layer 1",
        "packages": sorted(packages),
        "suite": apt.suite,
        "unused": sorted(UNUSED_PACKAGES),
        "trimmed": TRIMMED,
        "tables": DEFAULT_TABLES,
        "accounts": [ACCOUNTS, GROUPS],
    }
    if without:
        inputs["without"] = sorted(without)
    return Step(name, inputs, run)


def finish(root: Path) -> None:
    """Do what the packages' own scripts would have done, then remove what a container never reads."""
    certificates = sorted((root / "usr/share/ca-certificates").glob("**/*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(path.read_text(encoding="utf-8") for path in certificates), encoding="utf-8")
    debian.remove(root, TRIMMED)
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            debian.remove(path.parent, [path.name])
    for command in TABLE_COMMANDS if os.path.lexists(root / f"usr/sbin/iptables-{DEFAULT_TABLES}") else ():
        family, _dash, rest = command.partition("-")
        link = root / "usr/sbin" / command
        link.unlink(missing_ok=True)
        link.symlink_to(f"{family}-{DEFAULT_TABLES}" + (f"-{rest}" if rest else ""))
    for name, target in (("usr/bin/which", "which.debianutils"), ("usr/bin/sh", "dash")):
        (root / name).unlink(missing_ok=True)
        if (root / name).with_name(target).exists():
            (root / name).symlink_to(target)
    for name, text in (("passwd", ACCOUNTS), ("group", GROUPS)):
        (root / "etc" / name).write_text(text, encoding="utf-8")


def check_libraries(root: Path) -> None:
    """Raise progress.CommandError when a program in the layer would not find a library it is linked with.

    The layer's own loader is asked. It also looks where the controller keeps libraries: a path outside counts as none.
    """
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    lacking: list[str] = []
    for program in sorted(path for folder in ("usr/bin", "usr/sbin") for path in (root / folder).iterdir()):
        if program.is_symlink() or not program.is_file() or program.read_bytes()[:4] != b"\x7fELF":
            continue
        listed = progress.run([loader, "--library-path", libraries, "--list", program])
        for name, path in re.findall(r"^\s*(\S+) => (\S+)", listed, re.MULTILINE):
            if not path.startswith((str(libraries), "linux-vdso")):
                lacking.append(f"{program.relative_to(root)} lacks {name}")
    if lacking:
        raise progress.CommandError(f"the layer is not complete: {'; '.join(lacking)}. Try: name the packages in it")


def write_root_tar(root: Path, archive: Path) -> None:
    """A tar of a tree, owned by root, all times zero, in the order of names: the same tree gives the same bytes."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (0, 0), follow_symlinks=False)
    options = ("--sort=name", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@0", "--format=gnu")
    progress.run(["tar", "--create", "--file", archive, "--directory", root, *options, "."])
    shutil.rmtree(root)
