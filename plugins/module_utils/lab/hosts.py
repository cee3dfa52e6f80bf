"""The lab on this machine: a network namespace with a bridge, and one user-mode kernel per host."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.lab import cpu_balancer

NAMESPACE = "twinstack"
BRIDGE = "br0"
# UML backs every guest page by its own mapping; kube-apiserver alone needs more than the kernel's default of 65530.
MAP_COUNT = 4194304
MAP_COUNT_FILE = Path("/proc/sys/vm/max_map_count")
DISK_BYTES_PER_HOST = 6 << 30
STOP_SECONDS = 20.0
# Everything waits for the control plane, so hosts that share processors with it come second. In a rack none share.
NICENESS = 5


class LabError(Exception):
    """The lab cannot reach the requested state; every reason on a line of its own."""


@dataclass(frozen=True)
class Host:
    """One lab host with its address in each family."""

    name: str
    ipv4: str
    ipv6: str


@dataclass(frozen=True)
class Lab:
    """Where the lab keeps its state and what its hosts are.

    gateways: the bridge's address of each family; balancer: the program of lab_balance, for more hosts than processors.
    """

    folder: Path
    hosts: tuple[Host, ...]
    gateway_ipv4: str
    gateway_ipv6: str
    memory_mb: int
    kernel: Path | None = None
    image: Path | None = None
    balancer: Path | None = None

    def disk(self, host: Host) -> Path:
        """The host's copy-on-write file."""
        return self.folder / "disks" / f"{host.name}.cow"

    def seed(self, host: Host) -> Path:
        """The host's second disk, which holds its private SSH key."""
        return self.folder / "disks" / f"{host.name}.seed"

    @property
    def uml_folder(self) -> Path:
        """Where the kernels keep their control sockets; it is on their command lines and distinguishes labs."""
        return self.folder / "uml"


# --- pure parts -----------------------------------------------------------------------------------------------


def network_unit(host: Host, lab: Lab) -> str:
    """The host's .network file: static addresses and a gateway in both families."""
    return (
        "[Match]\nName=vec0\n[Network]\n"
        f"Address={host.ipv4}/24\nAddress={host.ipv6}/64\n"
        f"Gateway={lab.gateway_ipv4}\nGateway={lab.gateway_ipv6}\n"
        "IPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n"
    )


def credential(name: str, text: str) -> str:
    """A kernel argument that hands systemd a credential; public text only, because anybody can read a command line."""
    return f"systemd.set_credential_binary={name}:{base64.b64encode(text.encode()).decode()}"


def mac_address(place: int) -> str:
    """A locally administered address, from the host's place in the lab."""
    return f"52:54:00:66:00:{place + 1:02x}"


def command_line(lab: Lab, place: int, kernel: Path, image: Path, authorized_key: str, cpu: int) -> list[str]:
    """What starts one host, inside the lab's namespace and on one CPU."""
    host = lab.hosts[place]
    return [
        "ip", "netns", "exec", NAMESPACE, "taskset", "--cpu-list", str(cpu), str(kernel),
        "seccomp=on", f"mem={lab.memory_mb}M", f"umid={host.name}", f"uml_dir={lab.uml_folder}/",
        f"ubd0={lab.disk(host)},{image}", f"ubd1r={lab.seed(host)}", "root=/dev/ubda", "rw",
        f"vec0:transport=tap,ifname=tap-{host.name},depth=128,gro=1,mac={mac_address(place)}",
        "con=null", "con0=null,fd:1",
        f"systemd.hostname={host.name}",
        credential("network.network.10-vec0", network_unit(host, lab)),
        credential("lab.authorized_keys", authorized_key),
    ]  # fmt: skip


def refusals(lab: Lab, uid: int, machine: str, memory_mb: int, shm_mb: int, disk_bytes: int, down: int) -> list[str]:
    """Why the lab cannot start here; empty when it can. down: how many hosts have to be started."""
    found = []
    if uid != 0:
        found.append(f"user: found uid {uid}, expected root, who may make namespaces. Try: sudo make lab")
    if machine != "x86_64":
        found.append(f"machine: found {machine}, expected x86_64: the lab's kernel is built for it")
    need = lab.memory_mb * down
    if memory_mb < need:
        found.append(f"memory: found {memory_mb} MiB available, expected {need}. Try: lower lab_memory_mb")
    if shm_mb < need:
        found.append(f"/dev/shm: found {shm_mb} MiB free, expected {need}. Try: mount -o remount,size={need}m /dev/shm")
    if disk_bytes < DISK_BYTES_PER_HOST * down:
        free, wanted = disk_bytes >> 30, DISK_BYTES_PER_HOST * down >> 30
        found.append(f"{lab.folder}: found {free} GiB free, expected {wanted}. Try: TWINSTACK_CACHE on a larger disk")
    return found


# --- this machine ---------------------------------------------------------------------------------------------


def run(argv: Sequence[str | Path], check: bool = True) -> str:
    """Standard output of a command; LabError with its last words when it fails."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(str(word) for word in argv)}: {(done.stderr or done.stdout).strip()[-1000:]}")
    return done.stdout


def running(lab: Lab) -> dict[str, int]:
    """Process id of each of this lab's running hosts, by name."""
    return cpu_balancer.hosts_of(lab.folder)


def foreign(lab: Lab) -> list[int]:
    """Process ids of another lab's hosts."""
    ours = f"uml_dir={lab.uml_folder}/"
    return [pid for pid, words in cpu_balancer.kernels().items() if ours not in words]


@contextmanager
def locked(lab: Lab) -> Iterator[None]:
    """One change of the lab at a time; the lock goes with its process."""
    lab.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(lab.folder / "lock", "w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(f"{lab.folder}/lock: another run is changing the lab. Try: wait for its end") from error
        yield


def key_pair(path: Path, comment: str) -> str:
    """The public half of an SSH key, made once."""
    public = path.with_name(path.name + ".pub")
    if not public.exists():  # written last, so a run that died in between starts again
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    return public.read_text(encoding="utf-8").strip()


def known_hosts(lab: Lab) -> str:
    """Every host's public key under its name and both addresses."""
    lines = []
    for host in lab.hosts:
        public = " ".join(key_pair(lab.folder / "keys" / host.name, host.name).split()[:2])
        lines.append(f"{host.name},{host.ipv4},{host.ipv6} {public}\n")
    return "".join(lines)


def make_seed(lab: Lab, host: Host) -> None:
    """The host's second disk with its private key, for root only."""
    path = lab.seed(host)
    content = path.with_suffix(".files")
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir(mode=0o700, parents=True)
    key_pair(lab.folder / "keys" / host.name, host.name)
    shutil.copyfile(lab.folder / "keys" / host.name, content / "lab.ssh_host_key")
    (content / "lab.ssh_host_key").chmod(0o600)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.truncate(descriptor, 1 << 20)
    os.close(descriptor)
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", content, path])
    shutil.rmtree(content)


def make_network(lab: Lab) -> None:
    """Namespace, bridge and one tap per host; whatever is there already is kept."""
    if NAMESPACE not in run(["ip", "netns", "list"]).split():
        run(["ip", "netns", "add", NAMESPACE])
    inside = ["ip", "netns", "exec", NAMESPACE]
    links = run([*inside, "ip", "-oneline", "link"])
    if f" {BRIDGE}:" not in links:
        run([*inside, "ip", "link", "add", BRIDGE, "type", "bridge"])
        run([*inside, "ip", "address", "add", f"{lab.gateway_ipv4}/24", "dev", BRIDGE])
        run([*inside, "ip", "address", "add", f"{lab.gateway_ipv6}/64", "dev", BRIDGE, "nodad"])
    for link in ("lo", BRIDGE):
        run([*inside, "ip", "link", "set", link, "up"])
    for host in lab.hosts:
        tap = f"tap-{host.name}"
        if f" {tap}:" not in links:
            run([*inside, "ip", "tuntap", "add", tap, "mode", "tap"])
        run([*inside, "ip", "link", "set", tap, "master", BRIDGE, "up"])


def base_of(lab: Lab) -> Path:
    """The base image under the disks: the bundle's, or the one that existing disks were made on."""
    kept = lab.folder / "disks" / "base.ext4"
    if not kept.exists():
        if lab.image is None:
            raise LabError("lab_base_image: found none. Try: ansible-playbook -i inventory/lab playbooks/bundle.yml")
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = kept.with_suffix(".new")
        run(["cp", "--reflink=auto", "--sparse=always", "--preserve=timestamps", lab.image, staged])
        staged.replace(kept)
    return kept


def kernel_of(lab: Lab) -> Path:
    """An executable copy of the bundle's kernel under the name by which its processes are recognised."""
    target = lab.folder / "kernel"
    if lab.kernel is None:
        raise LabError("lab_kernel: found none. Try: ansible-playbook -i inventory/lab playbooks/bundle.yml")
    if not target.exists() or target.stat().st_mtime_ns < lab.kernel.stat().st_mtime_ns:
        staged = target.with_suffix(".new")
        shutil.copy2(lab.kernel, staged)
        staged.chmod(0o755)
        staged.replace(target)
    return target


def check(lab: Lab, down: int) -> None:
    """Refuse, with all reasons at once, what cannot work."""
    others = foreign(lab)
    found = [f"another lab is running (process {others[0]}). Try: make lab-down in its project"] if others else []
    if down:
        memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split("MemAvailable:")[1].split()[0]) // 1024
        shm = os.statvfs("/dev/shm")
        disk = os.statvfs(lab.folder)
        found += refusals(
            lab, os.getuid(), os.uname().machine, memory,
            shm.f_bavail * shm.f_frsize >> 20, disk.f_bavail * disk.f_frsize, down,
        )  # fmt: skip
    if found:
        raise LabError("\n".join(found))


def allow_maps() -> None:
    """Raise vm.max_map_count to what the kernels need."""
    if int(MAP_COUNT_FILE.read_text(encoding="utf-8")) < MAP_COUNT:
        try:
            MAP_COUNT_FILE.write_text(str(MAP_COUNT), encoding="utf-8")
        except OSError as error:
            raise LabError(f"vm.max_map_count: cannot set {MAP_COUNT}: {error.strerror}. Try: as root") from error


def start(lab: Lab, names: Sequence[str], client_key: Path) -> list[str]:
    """Boot those of the named hosts that are down; the names of the hosts that were started."""
    up = running(lab)
    wanted = [place for place, host in enumerate(lab.hosts) if host.name in names and host.name not in up]
    check(lab, len(wanted))
    allow_maps()
    cpus = sorted(os.sched_getaffinity(0))
    if not wanted:
        balance(lab, len(cpus))
        return []
    hang_up(lab)
    if not up:
        remove_network()  # a killed run may have left it half made, or another lab with other addresses
    make_network(lab)
    kernel, image, public = kernel_of(lab), base_of(lab), key_pair(client_key, "twinstack-lab")
    (lab.folder / "logs").mkdir(exist_ok=True)
    for place in wanted:
        host = lab.hosts[place]
        shutil.rmtree(lab.uml_folder / host.name, ignore_errors=True)  # a killed kernel leaves its control socket
        make_seed(lab, host)
        # The control plane works hardest, so the first CPU is its own when there are two.
        cpu = cpus[0] if place == 0 or len(cpus) == 1 else cpus[1 + (place - 1) % (len(cpus) - 1)]
        with open(lab.folder / "logs" / f"{host.name}.log", "wb") as log:
            process = subprocess.Popen(
                command_line(lab, place, kernel, image, public, cpu),
                cwd=lab.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": "/dev/shm"},
                start_new_session=True,
            )
        if place and len(cpus) < len(lab.hosts):
            come_second(process.pid)
    balance(lab, len(cpus))
    return [lab.hosts[place].name for place in wanted]


def come_second(pid: int) -> None:
    """Let a session's first process, and what it will start, have what others leave of a processor."""
    os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():  # then the scheduler shares processors among sessions, and a process' own niceness says nothing
        group.write_text(f"{NICENESS}\n", encoding="ascii")


def balance(lab: Lab, cpus: int) -> None:
    """Start what shares few processors among the hosts, unless it runs; it ends with the last of them."""
    if lab.balancer is None or not 1 < cpus < len(lab.hosts):
        return
    with open(lab.folder / "logs" / "balance.log", "ab") as log:
        subprocess.Popen(
            [sys.executable, "-I", lab.balancer, lab.folder],
            cwd=lab.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def answers(host: str) -> bool:
    """True when SSH greets on an address inside the lab's network."""
    family = "TCP6" if ":" in host else "TCP4"
    target = f"{family}:[{host}]:22" if ":" in host else f"{family}:{host}:22"
    argv = ["ip", "netns", "exec", NAMESPACE, "socat", "-T1", "-", f"{target},connect-timeout=1"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stdout.startswith(b"SSH-")


def wait_for_ssh(lab: Lab, names: Sequence[str], timeout: float) -> None:
    """Wait until SSH answers on both families of the hosts; LabError names those that do not, and their console."""
    deadline = time.monotonic() + timeout
    left = [(host.name, address) for host in lab.hosts if host.name in names for address in (host.ipv4, host.ipv6)]
    while left:
        left = [item for item in left if not answers(item[1])]
        if left and time.monotonic() > deadline:
            silent = ", ".join(f"{name} ({address})" for name, address in left)
            raise LabError(f"no SSH after {timeout:.0f} s on {silent}. Try: tail {lab.folder}/logs/{left[0][0]}.log")
        time.sleep(0.1)


def living_sessions() -> set[int]:
    """Sessions that have a process which still holds files: a kernel's disk and tap are free only when all are gone."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                found.add(int(fields[3]))
    return found


def power_off(lab: Lab, names: Sequence[str]) -> list[str]:
    """Cut the power of the named hosts; the names of those that were running."""
    up = {name: pid for name, pid in running(lab).items() if name in names}
    for pid in up.values():
        os.killpg(pid, signal.SIGKILL)  # a host is the leader of its own session
    hang_up(lab)
    deadline = time.monotonic() + STOP_SECONDS
    while left := [name for name, pid in up.items() if pid in living_sessions()]:
        if time.monotonic() > deadline:
            raise LabError(f"still running after SIGKILL: {', '.join(sorted(left))}")
        time.sleep(0.1)
    return sorted(up)


def hang_up(lab: Lab) -> None:
    """End the controller's shared SSH connections, which would wait for hosts that are gone."""
    for socket in (lab.folder / "cp").glob("*"):
        run(["ssh", "-O", "exit", "-S", socket, "lab"], check=False)
        socket.unlink(missing_ok=True)


def remove_network() -> None:
    """Take the namespace away, and with it bridge and taps."""
    if NAMESPACE in run(["ip", "netns", "list"]).split():
        run(["ip", "netns", "delete", NAMESPACE])


def write_state(path: Path, data: dict[str, object]) -> None:
    """Leave figures of the last boot beside the environment's other artifacts."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")
