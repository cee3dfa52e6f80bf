"""Changed settings of a living control plane: kubeadm's own steps, each by itself, and what has to follow it.

Each step is decided by what is there, so that it can be taken again after a run was cut off; nothing here restarts
workload pods. What a step replaces stays until its successor is complete, and comes back when that does not start.
"""

from __future__ import annotations

import dataclasses
import glob
import http.client
import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm, running
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError, run

WORK = "/etc/twinstack/kubeadm-reconcile.yaml"
PKI = "/etc/kubernetes/pki"
CERTIFICATE_FOLDER = ".twinstack"  # below PKI, as the documents for the certificate say
MANIFESTS = "/etc/kubernetes/manifests"
POD_LOGS = "/var/log/pods"
PEM_END = "-----END CERTIFICATE-----"
POLL_SECONDS = 0.5
# A first start may find the port of its predecessor still taken; one that fails twice will not start.
FAILED_STARTS = 2
UPLOADS = {
    "upload_kubeadm": ("upload-config", "kubeadm"),
    "upload_kubelet": ("upload-config", "kubelet"),
    # Of the add-ons only this one: cluster DNS is applied by role calico.
    "upload_kube_proxy": ("addon", "kube-proxy"),
}
# kubeadm's name of a component's step, and the port of its own health on the loopback; the API server's is its own.
COMPONENTS = {
    "kube-apiserver": ("apiserver", 0),
    "kube-scheduler": ("scheduler", 10259),
    "kube-controller-manager": ("controller-manager", 10257),
}
# ``record`` by itself only writes down what is asked, which every other step does too.
CONTROL_PLANE = ("record", *UPLOADS, "certificate", *COMPONENTS)


class ReconcileError(Exception):
    """A step failed; the message says what was found and what to do next."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What the control plane is asked for.

    asked: the documents of the inventory, for the record. documents: those for kubeadm, and certificate_documents those
    with which it makes the certificate (YAML texts). arguments: words that a component's process must have, by
    component. addresses: of the API server, one of each family. timeout: longest wait for each step in seconds.
    """

    asked: str
    documents: str
    certificate_documents: str
    arguments: Mapping[str, Sequence[str]]
    addresses: Sequence[str]
    port: int
    timeout: float


def control_plane(steps: Sequence[str], request: Request) -> list[str]:
    """Take these steps in their order; returns them. Raises ReconcileError at the first that fails."""
    record = kubeadm.load(kubeadm.RECORD)
    if record is None or record.phase != "init" or not record.finished:
        raise ReconcileError(
            f"{kubeadm.RECORD}: found no finished kubeadm init of this project, expected one. Try: site.yml"
        )
    kubeadm.write_config(request.asked, kubeadm.CONFIG)
    kubeadm.save(dataclasses.replace(record, config=kubeadm.digest(request.asked)), kubeadm.RECORD)
    os.sync()
    for step in CONTROL_PLANE:
        if step not in steps:
            continue
        if step in UPLOADS:
            phase(UPLOADS[step], request.documents, request.timeout)
        elif step == "certificate":
            certificate(request)
        elif step in COMPONENTS:
            component(step, request)
    return [step for step in CONTROL_PLANE if step in steps]


def phase(words: Sequence[str], documents: str, timeout: float) -> None:
    """One step of kubeadm init on these documents. Raises ReconcileError with its last words."""
    kubeadm.write_config(documents, WORK)
    try:
        command([kubeadm.KUBEADM, "init", "phase", *words, "--config", WORK], timeout)
    finally:
        os.unlink(WORK)


def command(argv: Sequence[str], timeout: float) -> str:
    """Output of a command. Raises ReconcileError with its last words."""
    try:
        return run(argv, timeout)
    except HostStateError as error:
        raise ReconcileError(f"{error}. Try: journalctl --unit kubelet --lines 30") from error


def certificate(request: Request) -> None:
    """A new certificate of the API server, in place once it is complete, and served in both families.

    kube-apiserver reads it again by itself as soon as the files change (k8s.io/apiserver: dynamiccertificates), also
    when it sees one of them before the other.
    """
    folder = os.path.join(PKI, CERTIFICATE_FOLDER)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut off
    os.mkdir(folder, 0o700)
    try:
        for name in ("ca.crt", "ca.key"):
            os.symlink(os.path.join("..", name), os.path.join(folder, name))
        phase(("certs", "apiserver"), request.certificate_documents, request.timeout)
        for name in ("apiserver.key", "apiserver.crt"):
            if not os.path.getsize(os.path.join(folder, name)):
                raise ReconcileError(f"{folder}/{name}: found an empty file, expected a new one of kubeadm's")
        os.sync()
        for name in ("apiserver.key", "apiserver.crt"):
            os.replace(os.path.join(folder, name), os.path.join(PKI, name))
    except OSError as error:
        raise ReconcileError(f"{folder}: {error}. The API server goes on with the certificate that it has") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    path = os.path.join(PKI, "apiserver.crt")
    with open(path, encoding="ascii") as stream:
        wanted = ssl.PEM_cert_to_DER_cert(stream.read().partition(PEM_END)[0] + PEM_END)
    deadline = time.monotonic() + request.timeout
    while True:
        late = [address for address in request.addresses if served(address, request.port) != wanted]
        if not late:
            break
        if time.monotonic() > deadline:
            raise ReconcileError(
                f"{', '.join(late)}: certificate: found another one than {path} after {request.timeout:.0f} s; "
                "expected that kube-apiserver reads it again. Try: journalctl --unit kubelet"
            )
        time.sleep(POLL_SECONDS)
    if not api_ready(request):
        raise ReconcileError(
            f"{' or '.join(request.addresses)}: /readyz: found no answer that {PKI}/ca.crt vouches for; "
            "expected one in both families. Try: kubectl get --raw /readyz?verbose"
        )


def served(address: str, port: int) -> bytes:
    """The certificate (DER) that is served at an address; empty when none is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((address, port), timeout=3.0) as plain, context.wrap_socket(plain) as secure:
            return secure.getpeercert(True) or b""
    except OSError:
        return b""


def component(name: str, request: Request) -> None:
    """A component's manifest, and its pod with these arguments and healthy; its old manifest when it does not start."""
    path = os.path.join(MANIFESTS, f"{name}.yaml")
    with kept(path):
        before = starts(name)
        phase(("control-plane", COMPONENTS[name][0]), request.documents, request.timeout)
        arguments = set(request.arguments.get(name, ()))

        def ready() -> bool:
            return runs_with(name, arguments) and healthy(name, request)

        wait(name, ready, before, time.monotonic() + request.timeout)


@contextmanager
def kept(path: str) -> Iterator[None]:
    """A file that comes back as it was when what is done meanwhile fails."""
    with open(path, "rb") as stream:
        before, mode = stream.read(), os.fstat(stream.fileno()).st_mode
    try:
        yield
    except BaseException:
        with open(path, "rb") as stream:
            changed = stream.read() != before
        if changed:
            # kubelet reads no manifest whose name begins with a dot.
            staged = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.twinstack")
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode & 0o777)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(before)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(staged, path)
        raise


def wait(name: str, ready: Callable[[], bool], before: Mapping[str, int], deadline: float) -> None:
    """Wait until a component is ready; not to the end when its container does not start.

    before: what `starts` said. Raises ReconcileError with the container's last words.
    """
    began = time.monotonic()
    while not ready():
        now = starts(name)
        failing = [folder for folder, count in now.items() if count - before.get(folder, 0) >= FAILED_STARTS]
        if failing or time.monotonic() > deadline:
            waited = f"{time.monotonic() - began:.0f} s"
            found = "a container that ends each time it starts" if failing else f"no healthy one after {waited}"
            folder = max(failing or now, key=os.path.getmtime, default="")
            raise ReconcileError(
                f"{name}: found {found}; expected it to run with the new settings. "
                f"What was there before is back. Try: correct the setting, then site.yml again\n{last_words(folder)}"
            )
        time.sleep(POLL_SECONDS)


def starts(name: str) -> dict[str, int]:
    """How often a component's container has started again, by its folder of logs: a file for each start."""
    counts: dict[str, int] = {}
    for path in glob.glob(f"{glob.escape(POD_LOGS)}/kube-system_{name}-*/{name}/*.log"):
        number = os.path.basename(path).partition(".")[0]
        if number.isdigit():
            folder = os.path.dirname(path)
            counts[folder] = max(counts.get(folder, 0), int(number))
    return counts


def last_words(folder: str, lines: int = 10) -> str:
    """The end of the last logs that say anything."""
    for path in sorted(glob.glob(f"{glob.escape(folder)}/*.log"), key=os.path.getmtime, reverse=True):
        with suppress(OSError), open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()[-20000:].strip()
            if text:
                return "\n".join(text.splitlines()[-lines:])
    return ""


def runs_with(name: str, arguments: set[str]) -> bool:
    """Whether a process of a program runs with these arguments."""
    for process in running.processes(name):
        with suppress(OSError), open(f"/proc/{process}/cmdline", encoding="utf-8", errors="replace") as stream:
            if arguments <= set(stream.read().split("\0")):
                return True
    return False


def healthy(name: str, request: Request) -> bool:
    """Whether a component says that it is well: the API server in both families, the others on the loopback."""
    port = COMPONENTS[name][1]
    return api_ready(request) if not port else answers("127.0.0.1", port, "/healthz", "")


def api_ready(request: Request) -> bool:
    """Whether the API server is ready at its address of each family, with a certificate for that address."""
    ca = os.path.join(PKI, "ca.crt")
    return all(answers(address, request.port, "/readyz", ca) for address in request.addresses)


def answers(address: str, port: int, path: str, ca: str) -> bool:
    """Whether a page is there by HTTPS. ca: file of the CA; empty where the server made its own certificate."""
    context = ssl.create_default_context(cafile=ca or None)
    if not ca:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=3.0, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
