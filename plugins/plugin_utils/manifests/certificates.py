"""Certificates of gateways: a certificate authority of the mesh's own, and what is wrong with a user's certificate."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
# The longest life that browsers of today accept for a server's certificate.
LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
CLOCK_DIFFERENCE = timedelta(minutes=5)
AUTHORITY = "ca"
# X.509's longest common name.
LONGEST_NAME = 64


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_authority(folder: Path, name: str, now: datetime, write: bool = True) -> tuple[Pair | None, bool]:
    """The authority in a folder (ca.crt, ca.key), made when there is none or it ends soon; whether that is a change.

    write: False only reports (check mode); then there is no authority to return when it is to be made.
    """
    paths = folder / f"{AUTHORITY}.crt", folder / f"{AUTHORITY}.key"
    found = _read(*paths)
    if found and found.certificate.not_valid_after_utc - now > LIFE:
        return found, False
    if not write:
        return None, True
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:LONGEST_NAME].strip())])
    certificate = (
        _builder(subject, subject, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(paths, certificate, key)
    return Pair(certificate, key), True


def ensure_certificate(
    authority: Pair | None, folder: Path, name: str, hosts: Sequence[str], now: datetime, write: bool = True
) -> bool:
    """NAME.crt and NAME.key in a folder: for exactly these hosts (names and addresses), by this authority, not ending
    soon. Returns whether that is a change; write: False = check only. Raises ValueError for the authority's name."""
    if name == AUTHORITY:
        raise ValueError(f"{name}: found the name of the authority's own files; expected another one")
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    wanted = sorted({_general_name(host) for host in hosts}, key=str)
    found = _read(*paths)
    if (
        authority
        and found
        and _names(found.certificate) == wanted
        and found.certificate.issuer == authority.certificate.subject
        and _signed_by(found.certificate, authority.certificate)
        and found.certificate.not_valid_after_utc - now > RENEW_BEFORE
    ):
        return False
    if not write or authority is None:
        return True
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, authority.certificate.subject, key, now, LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        # Strict clients, such as Python from 3.13 on, refuse a certificate without it.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write(paths, certificate, key)
    return True


def forget(
    authority: Pair | None, folder: Path, keep: Collection[str], named: Collection[Path] = (), write: bool = True
) -> list[str]:
    """Remove certificates that the authority signed and nobody wants any more, with their keys; their names.

    keep: names that are wanted; named: files that tenants name. What another authority signed is not ours.
    """
    used = {path.expanduser().resolve() for path in named}
    gone = []
    for path in sorted(folder.glob("*.crt")):
        found = _read(path, path.with_suffix(".key"))
        if path.stem in (AUTHORITY, *keep) or path.resolve() in used or not authority or not found:
            continue
        if not _signed_by(found.certificate, authority.certificate):
            continue
        gone.append(path.stem)
        if write:
            path.with_suffix(".key").unlink()
            path.unlink()
    return gone


def problems(certificate: bytes, key: bytes, hosts: Sequence[str], now: datetime) -> list[tuple[str, str, str]]:
    """What is wrong with a user's certificate and key: (``cert`` or ``key``, what was found, what was expected).

    hosts: names that it must be good for; ``*`` requires none.
    """
    found: list[tuple[str, str, str]] = []
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        return [("cert", "no PEM certificate", "a PEM file, the server's own certificate first")]
    try:
        public = serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found.append(("key", "no PEM private key without a password", "the key of the certificate, without a password"))
    else:
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        if public.public_bytes(*form) != parsed.public_key().public_bytes(*form):
            found.append(("key", "the key of another certificate", "the key of the certificate"))
    begin, end = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    if now > end:
        found.append(("cert", f"a certificate that expired on {end:%Y-%m-%d}", "one that is valid today"))
    elif now < begin:
        found.append(("cert", f"a certificate that is valid from {begin:%Y-%m-%d} on", "one that is valid today"))
    good = {str(name.value).lower() for name in _names(parsed)}
    lacking = [host for host in hosts if host != "*" and host not in good and f"*.{host.partition('.')[2]}" not in good]
    if lacking:
        shown = ", ".join(sorted(good)) or "no name"
        found.append(("cert", f"a certificate for {shown}", f"one for {', '.join(lacking)} too"))
    return found


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    """A name or an address as it stands in a certificate."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return sorted(extension.value, key=str)


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # one of many kinds, all of which say no
        return False
    return True


def _read(certificate: Path, key: Path) -> Pair | None:
    """What lies there; None when it is absent or damaged."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != parsed.public_key():
        return None
    return Pair(parsed, private)


def _write(paths: tuple[Path, Path], certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """Both files, readable for their owner alone, each whole or not at all."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths[0].parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, data in zip(paths, (certificate.public_bytes(serialization.Encoding.PEM), private), strict=True):
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        draft.rename(path)


def today() -> datetime:
    """Now, with its zone."""
    return datetime.now(UTC)
