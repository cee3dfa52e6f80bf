"""Steps on a control plane: kubeadm is a script, the API server a TLS server of the test's own."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm, reconcile
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.module_utils.host.reconcile_samples import Programs

LOOPBACK = ["127.0.0.1", "::1"]
NAME = "kube-controller-manager"


def pair(serial: int, addresses: list[str]) -> tuple[str, str]:
    """Certificate, signed by itself, and key of a server at these addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


class Ready(BaseHTTPRequestHandler):
    """Ready, whatever is asked."""

    def do_GET(self) -> None:
        """An empty page."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


class Both(ThreadingHTTPServer):
    """Listens in both families and, as kube-apiserver does, reads its certificate again when the file has changed."""

    pki: Path

    def get_request(self):  # type: ignore[no-untyped-def]
        plain, address = super().get_request()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pki / "apiserver.crt", self.pki / "apiserver.key")
        return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""

    def server_bind(self) -> None:
        self.socket.close()
        self.socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.server_address = self.socket.getsockname()


@pytest.fixture(name="programs")
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A host whose paths lie in the test's folder, with a finished record and a kubeadm that does nothing."""
    programs = Programs(tmp_path / "programs")
    monkeypatch.setattr(kubeadm, "KUBEADM", programs.add("kubeadm"))
    monkeypatch.setattr(kubeadm, "RECORD", str(tmp_path / "kubeadm.json"))
    monkeypatch.setattr(kubeadm, "CONFIG", str(tmp_path / "kubeadm.yaml"))
    monkeypatch.setattr(reconcile, "WORK", str(tmp_path / "work.yaml"))
    monkeypatch.setattr(reconcile, "PKI", str(tmp_path / "pki"))
    monkeypatch.setattr(reconcile, "MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.setattr(reconcile, "POD_LOGS", str(tmp_path / "pods"))
    monkeypatch.setattr(reconcile, "POLL_SECONDS", 0.01)
    for folder in ("pki", "manifests", "pods"):
        (tmp_path / folder).mkdir()
    kubeadm.save(kubeadm.Record("init", "old", finished=True), kubeadm.RECORD)
    (tmp_path / "manifests" / f"{NAME}.yaml").write_text("old\n")
    return programs


@pytest.fixture(name="port")
def api_server(tmp_path: Path, programs: Programs) -> Iterator[int]:
    """An API server with its first certificate; the port."""
    assert programs
    pki = tmp_path / "pki"
    for name, text in zip(("apiserver.crt", "apiserver.key"), pair(1, LOOPBACK), strict=True):
        (pki / name).write_text(text)
    (pki / "ca.crt").write_text((pki / "apiserver.crt").read_text())
    (pki / "ca.key").write_text("secret\n")
    server = Both(("::", 0), Ready)
    server.pki = pki
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def request(**changes: object) -> reconcile.Request:
    """What is asked."""
    base = reconcile.Request(
        asked="asked\n",
        documents="documents\n",
        certificate_documents="for the certificate\n",
        arguments={NAME: ["--kube-api-qps=100"]},
        addresses=LOOPBACK,
        port=1,
        timeout=2.0,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def test_steps_are_taken_in_their_order_and_recorded(programs: Programs, tmp_path: Path) -> None:
    given = tmp_path / "given"
    programs.add("kubeadm", f"stat -c %a {reconcile.WORK} >> {given}; cat {reconcile.WORK} >> {given}")
    steps = ["upload_kube_proxy", "upload_kubelet", "upload_kubeadm"]
    assert reconcile.control_plane(steps, request()) == ["upload_kubeadm", "upload_kubelet", "upload_kube_proxy"]
    assert programs.log == [
        f"kubeadm init phase {words} --config {reconcile.WORK}"
        for words in ("upload-config kubeadm", "upload-config kubelet", "addon kube-proxy")
    ]
    assert given.read_text() == "600\ndocuments\n" * 3
    assert not os.path.exists(reconcile.WORK)
    assert Path(kubeadm.CONFIG).read_text() == "asked\n"
    assert os.stat(kubeadm.CONFIG).st_mode & 0o777 == 0o600
    assert kubeadm.load(kubeadm.RECORD) == kubeadm.Record("init", kubeadm.digest("asked\n"), finished=True)


def test_the_record_alone_needs_no_kubeadm(programs: Programs) -> None:
    assert reconcile.control_plane(["record"], request()) == ["record"]
    assert programs.log == []
    assert Path(kubeadm.CONFIG).read_text() == "asked\n"


@pytest.mark.parametrize("record", [None, kubeadm.Record("init", "x", False), kubeadm.Record("join", "x", True)])
def test_what_is_no_control_plane_of_ours_is_not_touched(programs: Programs, record: kubeadm.Record | None) -> None:
    os.unlink(kubeadm.RECORD)
    if record:
        kubeadm.save(record, kubeadm.RECORD)
    with pytest.raises(reconcile.ReconcileError, match="found no finished kubeadm init"):
        reconcile.control_plane(["upload_kubeadm"], request())
    assert programs.log == []
    assert not os.path.exists(kubeadm.CONFIG)


def test_a_step_that_fails_ends_the_run_and_the_next_run_goes_on(programs: Programs) -> None:
    programs.add("kubeadm", 'case "$*" in *kubelet*) echo "no such field" >&2; exit 1;; esac')
    steps = ["upload_kubeadm", "upload_kubelet", "upload_kube_proxy"]
    with pytest.raises(reconcile.ReconcileError, match=r"exit status 1: no such field\. Try: "):
        reconcile.control_plane(steps, request())
    assert len(programs.log) == 2
    assert not os.path.exists(reconcile.WORK)
    programs.add("kubeadm")
    assert reconcile.control_plane(steps[1:], request()) == steps[1:]


# --- the certificate -----------------------------------------------------------------------------------------------


def made(programs: Programs, tmp_path: Path, certificate: str, key: str) -> None:
    """A kubeadm that makes this pair where the documents say."""
    (tmp_path / "new.crt").write_text(certificate)
    (tmp_path / "new.key").write_text(key)
    folder = tmp_path / "pki" / ".twinstack"
    body = f"grep -q certificate {reconcile.WORK} || exit 9\ntest -s {folder}/ca.key || exit 8\n"
    body += "".join(f"cp {tmp_path}/new.{kind} {folder}/apiserver.{kind}\n" for kind in ("crt", "key"))
    programs.add("kubeadm", body)


def test_a_new_certificate_takes_the_place_of_the_old_one(programs: Programs, tmp_path: Path, port: int) -> None:
    certificate, key = pair(2, LOOPBACK)
    made(programs, tmp_path, certificate, key)
    (tmp_path / "pki" / "ca.crt").write_text(certificate)  # it is its own CA here
    (tmp_path / "pki" / ".twinstack").mkdir()  # of a run that was cut off
    (tmp_path / "pki" / ".twinstack" / "apiserver.crt").write_text("half")
    assert reconcile.control_plane(["certificate"], request(port=port)) == ["certificate"]
    assert programs.log == [f"kubeadm init phase certs apiserver --config {reconcile.WORK}"]
    assert (tmp_path / "pki" / "apiserver.crt").read_text() == certificate
    assert (tmp_path / "pki" / "apiserver.key").read_text() == key
    assert sorted(path.name for path in (tmp_path / "pki").iterdir()) == [
        "apiserver.crt",
        "apiserver.key",
        "ca.crt",
        "ca.key",
    ]
    assert (tmp_path / "pki" / "ca.key").read_text() == "secret\n", "only its link went"
    for address in LOOPBACK:
        assert reconcile.served(address, port) == ssl.PEM_cert_to_DER_cert(certificate)


@pytest.mark.parametrize("body", ["echo no >&2; exit 1", "", "touch PKI/apiserver.key PKI/apiserver.crt"])
def test_the_old_certificate_stays_when_there_is_no_new_one(
    programs: Programs, tmp_path: Path, port: int, body: str
) -> None:
    before = {name: (tmp_path / "pki" / name).read_text() for name in ("apiserver.crt", "apiserver.key")}
    programs.add("kubeadm", body.replace("PKI", str(tmp_path / "pki" / ".twinstack")))
    with pytest.raises(reconcile.ReconcileError):
        reconcile.control_plane(["certificate"], request(port=port))
    assert {name: (tmp_path / "pki" / name).read_text() for name in before} == before
    assert not (tmp_path / "pki" / ".twinstack").exists()


def test_a_certificate_that_is_not_served_in_one_family_is_named(
    programs: Programs, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(programs, tmp_path, *pair(2, LOOPBACK))
    served = reconcile.served
    monkeypatch.setattr(reconcile, "served", lambda host, number: served(host, number) if ":" in host else b"")
    with pytest.raises(reconcile.ReconcileError, match=r"^127\.0\.0\.1: certificate: found another one"):
        reconcile.control_plane(["certificate"], request(port=port, timeout=0.3))


def test_a_certificate_that_does_not_name_an_address_is_not_ready(
    programs: Programs, tmp_path: Path, port: int
) -> None:
    certificate, key = pair(2, ["127.0.0.1"])
    made(programs, tmp_path, certificate, key)
    (tmp_path / "pki" / "ca.crt").write_text(certificate)
    with pytest.raises(reconcile.ReconcileError, match="expected one in both families"):
        reconcile.control_plane(["certificate"], request(port=port))


# --- components ----------------------------------------------------------------------------------------------------


@pytest.fixture(name="component")
def running_component(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process with the new arguments, which says that it is well."""
    monkeypatch.setattr(reconcile, "answers", lambda *_: True)
    # A shell keeps the words that follow its script.
    with subprocess.Popen(
        [NAME, "-c", "sleep 60; :", "x", "--kube-api-qps=100", "--v=2"], executable="/bin/sh", start_new_session=True
    ) as process:
        yield
        os.killpg(process.pid, 9)


@pytest.mark.usefixtures("component")
def test_a_component_runs_with_its_new_arguments(programs: Programs, tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / f"{NAME}.yaml"
    programs.add("kubeadm", f"echo new > {manifest}")
    assert reconcile.control_plane([NAME], request()) == [NAME]
    assert programs.log == [f"kubeadm init phase control-plane controller-manager --config {reconcile.WORK}"]
    assert manifest.read_text() == "new\n"


@pytest.mark.usefixtures("component")
def test_a_component_with_other_arguments_gets_its_manifest_back(programs: Programs, tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / f"{NAME}.yaml"
    manifest.chmod(0o600)
    programs.add("kubeadm", f"echo new > {manifest}")
    with pytest.raises(reconcile.ReconcileError, match=r"no healthy one after 0 s.*before is back"):
        reconcile.control_plane([NAME], request(arguments={NAME: ["--kube-api-qps=7"]}, timeout=0.2))
    assert manifest.read_text() == "old\n"
    assert manifest.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in manifest.parent.iterdir()] == [manifest.name]


def test_a_container_that_ends_each_time_is_not_waited_for(programs: Programs, tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / f"{NAME}.yaml"
    old = tmp_path / "pods" / f"kube-system_{NAME}-cp1_aaaa" / NAME
    old.mkdir(parents=True)
    (old / "7.log").write_text("an old story\n")
    new = tmp_path / "pods" / f"kube-system_{NAME}-cp1_bbbb" / NAME
    logs = "".join(f'echo "unknown flag: --x" > {new}/{number}.log; ' for number in (0, 1, 2))
    programs.add("kubeadm", f"echo new > {manifest}; mkdir -p {new}; {logs}")
    began = time.monotonic()
    with pytest.raises(reconcile.ReconcileError, match="(?s)ends each time it starts.*unknown flag: --x"):
        reconcile.control_plane([NAME], request(timeout=30.0))
    assert time.monotonic() - began < 5
    assert manifest.read_text() == "old\n"


@pytest.mark.usefixtures("component")
def test_a_component_that_started_often_before_is_waited_for(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert programs
    old = tmp_path / "pods" / f"kube-system_{NAME}-cp1_aaaa" / NAME
    old.mkdir(parents=True)
    (old / "7.log").write_text("an old story\n")
    answers = iter([False, False, True])
    monkeypatch.setattr(reconcile, "answers", lambda *_: next(answers))
    assert reconcile.control_plane([NAME], request()) == [NAME]


def test_a_manifest_that_kubeadm_did_not_touch_is_not_written_again(programs: Programs, tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / f"{NAME}.yaml"
    before = manifest.stat().st_ino
    programs.add("kubeadm", "exit 1")
    with pytest.raises(reconcile.ReconcileError):
        reconcile.control_plane([NAME], request())
    assert manifest.stat().st_ino == before


def test_health_is_asked_in_both_families(programs: Programs, tmp_path: Path, port: int) -> None:
    assert programs
    assert reconcile.healthy("kube-apiserver", request(port=port))
    assert not reconcile.healthy("kube-apiserver", request(port=port, addresses=["127.0.0.1", "::2"]))
    ca = str(tmp_path / "pki" / "ca.crt")
    assert not reconcile.answers("127.0.0.1", 1, "/readyz", ca), "nobody listens"
    Path(ca).write_text(pair(9, LOOPBACK)[0])
    assert not reconcile.answers("127.0.0.1", port, "/readyz", ca), "another CA's"
    assert reconcile.answers("127.0.0.1", port, "/healthz", "")
