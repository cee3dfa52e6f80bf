"""The wanted state of one host, compared and applied in one go: packages, files, modules, sysctls, swap, units.

The order is fixed because each part may need the one before it: a unit needs its file, a file may belong to a
package's directory, a sysctl may only exist once a kernel module is loaded.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record

LOCK_SECONDS = 300.0  # as long as a server's own first updates may hold dpkg's lock
BLOCK_BEGIN = "# BEGIN twinstack {name}"
BLOCK_END = "# END twinstack {name}"


class HostStateError(Exception):
    """A step failed on the host; the message names the step, what was found and what to try."""


@dataclass(frozen=True)
class FileWish:
    """One path and what should be there.

    state: ``file`` (content is text), ``directory``, ``link`` (content is the target) or ``absent``.
    block: when not empty, only the lines between two markers of that name are ours (``/etc/hosts``).
    secret: the content never appears in a diff.
    """

    path: str
    state: str = "file"
    content: str = ""
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    block: str = ""
    secret: bool = False


@dataclass(frozen=True)
class UnitWish:
    """One systemd unit: enabled at boot, running now, restarted when a watched path changed since its last start.

    running_if: a path; where it is there, the unit must run, whatever running says.
    """

    name: str
    enabled: bool = True
    running: bool = True
    watch: tuple[str, ...] = ()
    running_if: str = ""

    @property
    def must_run(self) -> bool:
        """Whether it must run on this host now."""
        return self.running or bool(self.running_if and os.path.exists(self.running_if))


@dataclass(frozen=True)
class Step:
    """One difference between found and wanted state, with the function that removes it."""

    kind: str
    name: str
    before: str
    after: str
    apply: Callable[[], None]


@dataclass
class Wishes:
    """Everything that one call wants of a host. cluster: when not empty, whose host the record says that it is."""

    packages: list[dict[str, str]] = field(default_factory=list)
    package_archive: str = ""
    files: list[FileWish] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    swap_off: bool = False
    units: list[UnitWish] = field(default_factory=list)
    cluster: str = ""


def run(argv: Sequence[str], timeout: float = 300.0) -> str:
    """Run a command and return its standard output; raise HostStateError with its last words when it fails."""
    try:
        done = subprocess.run(list(argv), capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise HostStateError(f"{argv[0]}: command not found") from error
    except subprocess.TimeoutExpired as error:
        raise HostStateError(f"{' '.join(argv)}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise HostStateError(f"{' '.join(argv)}: exit status {done.returncode}: {words}")
    return done.stdout


# --- packages -------------------------------------------------------------------------------------------------


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
        # Packages' scripts have systemd read all units anew, each time most of a second, and start services. None of
        # ours is needed here: what systemd has not loaded it reads when it is asked for.
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


def package_steps(wishes: Wishes, record: dict[str, Any]) -> list[Step]:
    """One step that installs whatever is missing; a newer version that is already there is left alone."""
    have = installed_packages([package["package"] for package in wishes.packages]) if wishes.packages else {}
    missing = [package for package in wishes.packages if package["package"] not in have]
    if not missing:
        return []
    names = "\n".join(f"{package['package']} {package['version']}" for package in missing) + "\n"
    return [Step("packages", "packages", "", names, lambda: install_packages(wishes.package_archive, missing, record))]


# --- files ----------------------------------------------------------------------------------------------------


def with_block(text: str, name: str, content: str) -> str:
    """The text with our block of that name replaced, appended, or (content empty) removed."""
    begin, end = BLOCK_BEGIN.format(name=name), BLOCK_END.format(name=name)
    lines = text.splitlines()
    if begin in lines and end in lines:
        first, last = lines.index(begin), lines.index(end)
        before, after = lines[:first], lines[last + 1 :]
    else:
        before, after = lines, []
    block = [begin, *content.splitlines(), end] if content else []
    return "".join(line + "\n" for line in [*before, *block, *after])


def read_state(path: str) -> tuple[str, str, int, int, int]:
    """What is at a path now: (state, content, mode, uid, gid); absent paths give ("absent", "", 0, 0, 0)."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ("absent", "", 0, 0, 0)
    if stat.S_ISLNK(found.st_mode):
        return ("link", os.readlink(path), 0, 0, 0)
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return ("directory", "", mode, found.st_uid, found.st_gid)
    with open(path, "rb") as stream:
        content = stream.read().decode("utf-8", "surrogateescape")
    return ("file", content, mode, found.st_uid, found.st_gid)


def write_file(wish: FileWish, content: str, uid: int, gid: int) -> None:
    """Bring one path to the wanted state; regular files are replaced atomically."""
    state = read_state(wish.path)[0]
    if wish.state == "absent":
        if state == "directory":
            shutil.rmtree(wish.path)
        elif state != "absent":
            os.unlink(wish.path)
        return
    os.makedirs(os.path.dirname(wish.path), exist_ok=True)
    if wish.state == "directory":
        if state not in ("directory", "absent"):
            raise HostStateError(f"{wish.path}: found a {state}, expected a directory; move it away")
        os.makedirs(wish.path, exist_ok=True)
        os.chown(wish.path, uid, gid)
        os.chmod(wish.path, wish.mode)
        return
    if state == "directory":
        raise HostStateError(f"{wish.path}: found a directory, expected a {wish.state}; move it away")
    staged = f"{wish.path}.twinstack-new"
    if os.path.lexists(staged):
        os.unlink(staged)
    if wish.state == "link":
        os.symlink(content, staged)
    else:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode("utf-8", "surrogateescape"))
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), wish.mode)
            stream.flush()
            os.fsync(stream.fileno())
    os.replace(staged, wish.path)


def remember_file(path: str, state: str, content: str, record: dict[str, Any]) -> None:
    """Keep what was at a path before our first change; null when nothing was."""
    if path in record["files"]:
        return
    original = base64.b64encode(content.encode("utf-8", "surrogateescape")).decode() if state == "file" else None
    record["files"][path] = original
    host_record.save(record)


def file_steps(wishes: Sequence[FileWish], record: dict[str, Any]) -> list[Step]:
    """One step per path that differs in kind, content, mode or owner."""
    steps = []
    for wish in wishes:
        state, content, mode, uid, gid = read_state(wish.path)
        wanted = with_block(content, wish.block, wish.content) if wish.block else wish.content
        want_uid, want_gid = pwd.getpwnam(wish.owner).pw_uid, grp.getgrnam(wish.group).gr_gid
        if wish.block and state == "file":
            want_mode, want_uid, want_gid = mode, uid, gid  # the rest of the file is not ours
        else:
            want_mode = wish.mode
        same = state == wish.state
        if same and wish.state in ("file", "link"):
            same = content == wanted
        if same and wish.state in ("file", "directory"):
            same = (mode, uid, gid) == (want_mode, want_uid, want_gid)
        if same:
            continue
        chosen = FileWish(**{**wish.__dict__, "mode": want_mode})

        def apply(
            wish: FileWish = chosen,
            state: str = state,
            content: str = content,
            wanted: str = wanted,
            ids: tuple[int, int] = (want_uid, want_gid),
        ) -> None:
            remember_file(wish.path, state, content, record)
            write_file(wish, wanted, *ids)

        before = "" if state == "absent" else f"{state} {mode:04o}\n{'' if wish.secret else content}"
        after = "" if wish.state == "absent" else f"{wish.state} {want_mode:04o}\n{'' if wish.secret else wanted}"
        steps.append(Step("file", wish.path, before, after, apply))
    return steps


# --- kernel modules, sysctls, swap ----------------------------------------------------------------------------


def module_present(name: str) -> bool:
    """True when the kernel has the module loaded or built in."""
    folder = name.replace("-", "_")
    if os.path.isdir(f"/sys/module/{folder}"):
        return True
    try:
        with open(f"/lib/modules/{os.uname().release}/modules.builtin", encoding="utf-8") as stream:
            built_in = {os.path.basename(line.strip()).split(".")[0].replace("-", "_") for line in stream}
    except FileNotFoundError:
        # A kernel without a module tree (all built in) has nothing to load; preflight has proven its features.
        return not os.path.isdir(f"/lib/modules/{os.uname().release}")
    return folder in built_in


def module_steps(names: Sequence[str], record: dict[str, Any]) -> list[Step]:
    """One step per kernel module that is neither loaded nor built in."""

    def load(name: str) -> None:
        record["modules"] = sorted({*record["modules"], name})
        host_record.save(record)
        run(["modprobe", name])

    return [
        Step("module", name, "", f"{name}\n", lambda name=name: load(name))  # type: ignore[misc]
        for name in names
        if not module_present(name)
    ]


def sysctl_path(key: str) -> str:
    """The file below /proc/sys of a sysctl key in its slash or dot form."""
    return "/proc/sys/" + (key if "/" in key else key.replace(".", "/"))


def read_sysctl(key: str) -> str | None:
    """The current value with single spaces; None when the kernel does not know the key (yet)."""
    try:
        with open(sysctl_path(key), encoding="utf-8") as stream:
            return " ".join(stream.read().split())
    except OSError:
        return None


def write_sysctl(key: str, value: str, original: str | None, record: dict[str, Any]) -> None:
    """Set a sysctl and remember its original value.

    original: the value before the first key of this call was written, because writing one key may change another
    (net.ipv4.conf.all.forwarding and net.ipv4.ip_forward are one variable); None when the key did not exist then.
    """
    found = original if original is not None else read_sysctl(key)
    if found is None:
        raise HostStateError(f"sysctl {key}: the kernel has no such key; load its module or enable its option")
    if key not in record["sysctls"]:
        record["sysctls"][key] = found
        host_record.save(record)
    try:
        with open(sysctl_path(key), "w", encoding="utf-8") as stream:
            stream.write(value)
    except OSError as error:
        raise HostStateError(f"sysctl {key}: cannot set {value}: {error.strerror}") from error


def remember_sysctls(record: dict[str, Any]) -> None:
    """Record what kubelet and kube-proxy are going to change by themselves, once."""
    recorded = {sysctl_path(key) for key in record["sysctls"]}
    found = {key: read_sysctl(key) for key in host_record.KUBERNETES_SYSCTLS if sysctl_path(key) not in recorded}
    new = {key: value for key, value in found.items() if value is not None}
    if new:
        record["sysctls"].update(new)
        host_record.save(record)


def sysctl_steps(values: dict[str, str], record: dict[str, Any]) -> list[Step]:
    """One step per sysctl whose runtime value differs."""
    steps = []
    for key, value in sorted(values.items()):
        found = read_sysctl(key)
        if found != value:
            before = "" if found is None else f"{found}\n"
            steps.append(
                Step("sysctl", key, before, f"{value}\n", lambda k=key, v=value, f=found: write_sysctl(k, v, f, record))  # type: ignore[misc]
            )
    return steps


def active_swaps() -> list[str]:
    """Devices and files that are in use as swap."""
    try:
        with open("/proc/swaps", encoding="utf-8") as stream:
            return [line.split()[0] for line in stream.readlines()[1:]]
    except FileNotFoundError:
        return []


def without_swap(fstab: str) -> str:
    """An fstab whose swap lines are commented out."""
    lines = []
    for line in fstab.splitlines(keepends=True):
        fields = line.split()
        is_swap = len(fields) >= 3 and not line.lstrip().startswith("#") and fields[2] == "swap"
        lines.append(f"# twinstack: {line}" if is_swap else line)
    return "".join(lines)


def swap_steps(wanted_off: bool, record: dict[str, Any]) -> list[Step]:
    """Steps that turn swap off now and at boot."""
    if not wanted_off:
        return []
    steps = []
    swaps = active_swaps()
    if swaps:

        def turn_off() -> None:
            record["swap"] = sorted({*record["swap"], *swaps})
            host_record.save(record)
            run(["swapoff", "--all"])

        steps.append(Step("swap", "swap", "".join(f"{name}\n" for name in swaps), "", turn_off))
    state, content, mode, _uid, _gid = read_state("/etc/fstab")
    if state == "file" and without_swap(content) != content:
        steps += file_steps([FileWish("/etc/fstab", content=without_swap(content), mode=mode)], record)
    return steps


# --- units ----------------------------------------------------------------------------------------------------


def fingerprint(paths: Sequence[str]) -> str:
    """A digest over the content of files and the targets of links, so that a unit's inputs can be compared."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        state, content, _mode, _uid, _gid = read_state(path)
        digest.update(f"{path}\0{state}\0".encode())
        if state == "link" and os.path.isfile(path):
            digest.update(os.path.realpath(path).encode())  # the store's names are content hashes
        else:
            digest.update(content.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def unit_properties(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """UnitFileState, ActiveState, LoadState and NeedDaemonReload of several units in one call of systemctl."""
    output = run(["systemctl", "show", "--property=Id,UnitFileState,ActiveState,LoadState,NeedDaemonReload", *names])
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.split("\n\n")]
    return dict(zip(names, [block for block in blocks if block]))


def unit_steps(units: Sequence[UnitWish], record: dict[str, Any], changed_paths: set[str]) -> list[Step]:
    """Steps that enable, start or restart units.

    A unit's inputs are compared with those of its last start by us, not with the clock: a run that died between
    writing a file and restarting its unit is healed by the next one.
    """
    if not units:
        return []
    found = unit_properties([unit.name for unit in units])
    # A unit that systemd had not loaded it reads as it is now; all anew takes a second on a busy host.
    known_otherwise = any(
        have.get("LoadState") != "loaded" or have.get("NeedDaemonReload") == "yes" for have in found.values()
    )
    # It goes by the files' times, and a clock may have been set back.
    known_otherwise |= any(
        found[name].get("ActiveState") != "inactive"
        for name in found
        if any(path.startswith(f"/etc/systemd/system/{name}") for path in changed_paths)
    )

    def apply(unit: UnitWish, verb: str) -> None:
        nonlocal known_otherwise
        if known_otherwise:
            run(["systemctl", "daemon-reload"])
            known_otherwise = False
        # What is loaded already would else be called disabled until somebody has systemd read all units anew.
        fresh = verb == "enable" and found.get(unit.name, {}).get("ActiveState") == "inactive"
        start_unit(unit, verb, record, *(["--no-reload"] if fresh else []))

    steps = []
    for unit in units:
        have = found.get(unit.name, {})
        enabled = have.get("UnitFileState") in ("enabled", "static", "alias", "generated", "enabled-runtime")
        active = have.get("ActiveState") in ("active", "activating", "reloading")
        inputs = fingerprint(unit.watch)
        stale = record["units"].get(unit.name) != inputs or bool(changed_paths & set(unit.watch))
        if unit.enabled and not enabled:
            steps.append(
                Step(
                    "unit",
                    unit.name,
                    f"{have.get('UnitFileState') or 'absent'}\n",
                    "enabled\n",
                    lambda unit=unit: apply(unit, "enable"),  # type: ignore[misc]
                )
            )
        if unit.must_run and (not active or stale):
            verb = "restart" if active else "start"
            before = f"{have.get('ActiveState') or 'absent'}{', inputs changed' if active else ''}\n"
            steps.append(
                Step(
                    "unit",
                    unit.name,
                    before,
                    f"{verb}ed\n",
                    lambda unit=unit, verb=verb: apply(unit, verb),  # type: ignore[misc]
                )
            )
        elif not unit.must_run and active and stale and unit.watch:
            # Somebody else (kubeadm) starts it; once it runs it must still follow its files.
            steps.append(
                Step(
                    "unit",
                    unit.name,
                    "active, inputs changed\n",
                    "restarted\n",
                    lambda unit=unit: apply(unit, "restart"),  # type: ignore[misc]
                )
            )
    return steps


def start_unit(unit: UnitWish, verb: str, record: dict[str, Any], *options: str) -> None:
    """Enable, start or restart a unit and remember the inputs it started with."""
    try:
        run(["systemctl", verb, *options, unit.name])
    except HostStateError as error:
        raise HostStateError(f"{error}. Try: journalctl --unit {unit.name} --lines 30") from error
    record["units"].setdefault(unit.name, "")
    if verb in ("start", "restart") or not unit.running:
        record["units"][unit.name] = fingerprint(unit.watch)
    host_record.save(record)


# --- all of it ------------------------------------------------------------------------------------------------


def reconcile(wishes: Wishes, check_mode: bool) -> list[Step]:
    """Bring the host to the wanted state and return the steps taken (or, in check mode, that would be taken)."""
    record = host_record.load()
    done: list[Step] = []
    if wishes.cluster and record["cluster"] != wishes.cluster and not check_mode:
        record["cluster"] = wishes.cluster  # first of all: the host is no bare host from here on
        host_record.save(record)

    def take(steps: Sequence[Step]) -> None:
        for step in steps:
            if not check_mode:
                step.apply()
            done.append(step)

    take(package_steps(wishes, record))
    take(file_steps(wishes.files, record))
    take(module_steps(wishes.modules, record))
    if wishes.cluster and not check_mode:
        remember_sysctls(record)  # once modules are loaded, before anything runs that changes them
    take(sysctl_steps(wishes.sysctls, record))
    take(swap_steps(wishes.swap_off, record))
    changed_paths = {step.name for step in done if step.kind == "file"}
    take(unit_steps(wishes.units, record, changed_paths))
    return done
