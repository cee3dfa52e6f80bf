"""kubeadm on one host: what state it left, and running it so that an interrupted run can go on.

A small record of our own says which configuration `kubeadm init` or `join` was started with and whether it came to
its end. Without that record nothing on the host is touched: a foreign cluster stays as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

RECORD = "/etc/twinstack/kubeadm.json"
CONFIG = "/etc/twinstack/kubeadm.yaml"
CA_FILE = "/etc/kubernetes/pki/ca.crt"
KUBEADM = "/usr/local/bin/kubeadm"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
ETCD_MEMBER = "/var/lib/etcd/member"
RESET = "ansible-playbook -i INVENTORY playbooks/reset.yml -e reset_confirm=CLUSTER"

# kubeadm's own preflight refuses what its interrupted predecessor left; these names are those checks
# (kubeadm: app/preflight/checks.go).
RESUME_INIT = (
    "DirAvailable--var-lib-etcd",
    "FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml",
    "FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml",
    "FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml",
    "FileAvailable--etc-kubernetes-manifests-etcd.yaml",
    "Port-10250",
    "Port-10257",
    "Port-10259",
    "Port-2379",
    "Port-2380",
)
# A kubelet's own identity is the last thing that a join waits for.
JOINED = (
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/pki/kubelet-client-current.pem",
)
RESUME_JOIN = (
    "FileAvailable--etc-kubernetes-kubelet.conf",
    "FileAvailable--etc-kubernetes-bootstrap-kubelet.conf",
    "FileAvailable--etc-kubernetes-pki-ca.crt",
    "Port-10250",
)


def resume_checks(phase: str, api_port: int) -> tuple[str, ...]:
    """Names of kubeadm's checks that an interrupted run of ours fails."""
    return (*RESUME_INIT, f"Port-{api_port}") if phase == "init" else RESUME_JOIN


class KubeadmError(Exception):
    """kubeadm failed or found what it must not touch; the message says what to do next."""


@dataclass(frozen=True)
class Record:
    """What our last kubeadm run on this host was.

    phase: ``init`` or ``join``. config: sha256 of its documents; empty while what they made is being removed.
    """

    phase: str
    config: str
    finished: bool


def digest(config: str) -> str:
    """Hex sha256 of a configuration."""
    return hashlib.sha256(config.encode()).hexdigest()


def load(path: str = "") -> Record | None:
    """The record, or None on a host where we never ran kubeadm. path: RECORD unless given."""
    path = path or RECORD
    try:
        with open(path, encoding="utf-8") as stream:
            return Record(**json.load(stream))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise KubeadmError(f"{path}: found no valid record ({error})") from error


def save(record: Record, path: str = "") -> None:
    """Write the record atomically. path: RECORD unless given."""
    path = path or RECORD
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(asdict(record), stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".new", path)


def read_config() -> str:
    """The documents that the last `kubeadm init` was started with; empty when there was none."""
    try:
        with open(CONFIG, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def write_config(config: str, path: str = "") -> None:
    """Write kubeadm's documents, readable by root only. path: CONFIG unless given."""
    path = path or CONFIG
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(config)
    os.replace(path + ".new", path)


def foreign_state(folder: str = "/etc/kubernetes") -> list[str]:
    """Paths that show a Kubernetes node that we have no record of."""
    names = ("admin.conf", "kubelet.conf", "manifests/kube-apiserver.yaml")
    return [os.path.join(folder, name) for name in names if os.path.exists(os.path.join(folder, name))]


def decide(record: Record | None, phase: str, config: str, foreign: Sequence[str]) -> str:
    """What to do: ``nothing``, ``run``, ``resume`` or ``restart``; raises KubeadmError when none of them is safe.

    config: the digest of the wanted documents. It counts for an ``init`` that never came to its end: with other
    documents that is started over, because no worker can have joined, which takes a finished one. What they say of a
    finished cluster is preflight's to judge. A ``join`` has other documents each time, with another token.
    """
    if record is None:
        if foreign:
            raise KubeadmError(
                f"{', '.join(foreign)}: found a Kubernetes node that this project did not make, expected a bare host. "
                "Try: kubeadm reset on that host, if nothing on it is needed"
            )
        return "run"
    if record.phase != phase:
        raise KubeadmError(
            f"{RECORD}: found a host that ran kubeadm {record.phase}, expected {phase}: it moved between groups. "
            f"Try: {RESET} --limit on this host"
        )
    if record.finished:
        return "nothing"
    return "restart" if phase == "init" and record.config != config else "resume"


@contextlib.contextmanager
def only_one(timeout: float) -> Iterator[None]:
    """Wait until no other run of ours uses kubeadm on this host: a controller that was cut off may have left one.

    What the record says is to be read inside, because that other run may come to its end meanwhile.
    """
    path = RECORD + ".lock"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    deadline = time.monotonic() + timeout
    with open(path, "w", encoding="utf-8") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise KubeadmError(
                        f"{path}: another run's kubeadm is still working after {timeout:.0f} s. Try: pgrep -a kubeadm"
                    ) from error
                time.sleep(0.5)
        yield


def carry_out(todo: str, phase: str, config: str, api_port: int, timeout: float) -> None:
    """Do what ``decide`` said. timeout: seconds for each run of kubeadm. Raises KubeadmError."""
    if todo == "nothing":
        return
    if todo == "restart":
        reset(timeout)
    run(phase, config, resume_checks(phase, api_port) if todo == "resume" else (), timeout)


def call(argv: Sequence[str], timeout: float) -> str:
    """Standard output of a kubeadm command; raises KubeadmError with its last lines. timeout: seconds."""
    try:
        done = subprocess.run([KUBEADM, *argv], capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        hint = "journalctl --unit kubelet"
        raise KubeadmError(f"kubeadm {argv[0]}: no end after {timeout:.0f} s. Try: {hint}") from error
    if done.returncode != 0:
        words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
        message = f"kubeadm {argv[0]}: exit status {done.returncode}. Try: journalctl --unit kubelet\n{words}"
        raise KubeadmError(message)
    return done.stdout


def reset(timeout: float) -> None:
    """Remove what an init that never came to its end left on this host. timeout: seconds.

    A record without documents comes first: whatever the next run wants, what half a reset left is not resumed.
    """
    save(Record("init", "", finished=False))
    call(["reset", "--force", "--cri-socket", CRI_SOCKET], timeout)
    # kubeadm empties etcd's folder while etcd still runs, which may begin a new one before it is stopped.
    shutil.rmtree(ETCD_MEMBER, ignore_errors=True)


def run(phase: str, config: str, ignore: Sequence[str], timeout: float) -> str:
    """Run `kubeadm init` or `join` on CONFIG; returns its output, raises KubeadmError with its last lines."""
    argv = [phase, "--config", CONFIG]
    if ignore:
        argv += ["--ignore-preflight-errors", ",".join(sorted(ignore))]
    if phase == "init":
        argv += ["--skip-token-print"]
    save(Record(phase, digest(config), finished=False))
    write_config(config)
    try:
        printed = call(argv, timeout)
    finally:
        if phase == "join":
            os.unlink(CONFIG)  # it holds a token
    os.sync()  # what kubeadm wrote must not be lost after the record says that it ended
    save(Record(phase, digest(config), finished=True))
    return printed


def ca_digest(path: str = CA_FILE) -> str:
    """sha256 of the cluster's CA certificate file, to distinguish clusters; empty when there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except FileNotFoundError:
        return ""


def joined_after_all(own_ca: str, cluster_ca: str, kubelet: Sequence[str] = JOINED) -> bool:
    """True when a join that did not come to its end left a kubelet with an identity of its own in this cluster.

    kubeadm refuses to join a node again that is Ready already, and not by a preflight check that could be ignored.
    """
    return own_ca != "" and own_ca == cluster_ca and all(os.path.exists(path) for path in kubelet)


def parse_join_command(output: str) -> tuple[str, list[str]]:
    """Token and CA hashes out of `kubeadm token create --print-join-command`."""
    words = output.split()
    try:
        token = words[words.index("--token") + 1]
        hashes = [words[place + 1] for place, word in enumerate(words) if word == "--discovery-token-ca-cert-hash"]
    except (ValueError, IndexError) as error:
        raise KubeadmError("kubeadm token create: found no token in its output") from error
    if not hashes:
        raise KubeadmError("kubeadm token create: found no CA hash in its output")
    return token, hashes


def create_token(ttl: str, timeout: float = 60.0) -> tuple[str, list[str]]:
    """A new bootstrap token with a short life, and the hashes that pin the CA."""
    argv = [KUBEADM, "token", "create", "--ttl", ttl, "--print-join-command", "--kubeconfig"]
    argv += ["/etc/kubernetes/admin.conf"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise KubeadmError(f"kubeadm token create: exit status {done.returncode}: {done.stderr.strip()[-1000:]}")
    return parse_join_command(done.stdout)
