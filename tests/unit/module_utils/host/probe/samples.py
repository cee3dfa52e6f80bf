"""A small certificate authority, and an API server that asks for its clients' certificates."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)


def name(common: str, organisation: str = "") -> x509.Name:
    """A distinguished name as Kubernetes' certificates have it: the organisation first."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A CA and what it certifies, all as PEM text."""

    def __init__(self) -> None:
        """Make the CA."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(name("kubernetes"), self._key, is_authority=True)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, is_authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name("kubernetes"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(minutes=1))
            .not_valid_after(NOW + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

    def certify(self, subject: x509.Name) -> tuple[str, str]:
        """A certificate for localhost and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(subject, key, is_authority=False)
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return pem, key.private_bytes(*form).decode()


def kubeconfig(authority: Authority, port: int) -> str:
    """A kubeconfig as kubeadm writes admin.conf."""
    certificate, key = authority.certify(name("kubernetes-admin", "kubeadm:cluster-admins"))
    data = [base64.b64encode(text.encode()).decode() for text in (authority.pem, certificate, key)]
    return f"""\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {data[0]}
    server: https://localhost:{port}
  name: demo
contexts:
- context:
    cluster: demo
    user: kubernetes-admin
  name: kubernetes-admin@demo
current-context: kubernetes-admin@demo
kind: Config
users:
- name: kubernetes-admin
  user:
    client-certificate-data: {data[1]}
    client-key-data: {data[2]}
"""


@contextmanager
def api_server(authority: Authority, folder: Path, answers: dict[str, Any]) -> Iterator[int]:
    """An API server on localhost that answers with these objects by path; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """One read; a number instead of an object is the status."""
            found = answers.get(self.path, 404)
            body = json.dumps({} if isinstance(found, int) else found).encode()
            self.send_response(found if isinstance(found, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    certificate = folder / "server.pem"
    certificate.write_text("".join(authority.certify(name("kube-apiserver"))))
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
