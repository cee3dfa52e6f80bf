"""Certificates of gateways: made once and again when needed, trusted by strict clients, and users' own ones judged."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.conftest import Run, task_play

NOW = certificates.today()
HOSTS = ["foo.example", "192.168.1.11", "fd00::11"]
MINUTE = timedelta(minutes=1)
FILES = {"ca.crt", "ca.key", "foo.crt", "foo.key"}


def ensure(folder: Path, now: datetime = NOW, hosts: list[str] | None = None, write: bool = True) -> tuple[bool, bool]:
    """Whether the authority and the certificate foo are made."""
    authority, made = certificates.ensure_authority(folder, "test", now, write)
    return made, certificates.ensure_certificate(authority, folder, "foo", hosts or HOSTS, now, write)


def content(folder: Path) -> dict[str, bytes]:
    """All files by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pair(folder: Path, hosts: list[str], now: datetime = NOW) -> tuple[bytes, bytes]:
    """A user's certificate and key, made somewhere else."""
    ensure(folder, now, hosts)
    return (folder / "foo.crt").read_bytes(), (folder / "foo.key").read_bytes()


# --- what is made -----------------------------------------------------------------------------------------------------


def test_what_is_made_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "gateways"
    assert ensure(folder) == (True, True)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(FILES, 0o600)


def test_the_second_time_nothing_changes(tmp_path: Path) -> None:
    ensure(tmp_path)
    before = content(tmp_path)
    assert ensure(tmp_path) == (False, False)
    assert ensure(tmp_path, hosts=[*reversed(HOSTS), HOSTS[0]]) == (False, False), "the order is no difference"
    assert content(tmp_path) == before


def shake_hands(folder: Path, host: str) -> None:
    """A TLS handshake in memory, in which a client as strict as OpenSSL can be trusts ca.crt and no other authority."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(folder / "foo.crt", folder / "foo.key")
    asking = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = asking.wrap_bio(down, up, server_hostname=host), serving.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].version()


@pytest.mark.parametrize("host", HOSTS)
def test_a_strict_client_trusts_it_for_every_host_in_either_family(tmp_path: Path, host: str) -> None:
    ensure(tmp_path)
    shake_hands(tmp_path, host)


@pytest.mark.parametrize("host", ["bar.example", "192.168.1.12", "fd00::12"])
def test_no_client_trusts_it_for_another_host(tmp_path: Path, host: str) -> None:
    ensure(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(tmp_path, host)


def test_other_hosts_need_another_certificate_by_the_same_authority(tmp_path: Path) -> None:
    ensure(tmp_path)
    before = content(tmp_path)
    assert ensure(tmp_path, hosts=["bar.example"]) == (False, True)
    assert {name for name, data in content(tmp_path).items() if data != before[name]} == {"foo.crt", "foo.key"}
    shake_hands(tmp_path, "bar.example")


def test_a_certificate_is_made_again_thirty_days_before_it_ends(tmp_path: Path) -> None:
    ensure(tmp_path)
    last = NOW + certificates.LIFE - timedelta(days=30)
    assert ensure(tmp_path, last - MINUTE) == (False, False)
    assert ensure(tmp_path, last + MINUTE) == (False, True)
    assert ensure(tmp_path, last + MINUTE) == (False, False)


def test_an_authority_never_ends_before_what_it_signs(tmp_path: Path) -> None:
    ensure(tmp_path)
    last = NOW + certificates.AUTHORITY_LIFE - certificates.LIFE
    ensure(tmp_path, last - MINUTE)
    assert ensure(tmp_path, last - MINUTE) == (False, False)
    assert ensure(tmp_path, last + MINUTE) == (True, True), "another authority signs all certificates again"


def test_what_another_authority_signed_is_made_again(tmp_path: Path) -> None:
    """Also when both have one name."""
    ensure(tmp_path)
    ensure(tmp_path / "other")
    for name in ("ca.crt", "ca.key"):
        (tmp_path / "other" / name).replace(tmp_path / name)
    (tmp_path / "other" / "foo.crt").unlink()
    assert ensure(tmp_path) == (False, True)
    shake_hands(tmp_path, "foo.example")


@pytest.mark.parametrize("damage", ["absent", "cut", "another's"])
@pytest.mark.parametrize(
    ("name", "made"),
    [("ca.crt", (True, True)), ("ca.key", (True, True)), ("foo.crt", (False, True)), ("foo.key", (False, True))],
)
def test_what_is_damaged_is_made_again(tmp_path: Path, name: str, made: tuple[bool, bool], damage: str) -> None:
    ensure(tmp_path)
    path = tmp_path / name
    if damage == "absent":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        ensure(tmp_path / "other")
        (tmp_path / "other" / name).replace(path)
    assert ensure(tmp_path) == made
    assert ensure(tmp_path) == (False, False)
    shake_hands(tmp_path, "foo.example")


def test_an_interrupted_run_leaves_nothing_that_hinders_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".ca.key.new").write_text("half a k", encoding="utf-8")
    assert ensure(tmp_path) == (True, True)
    assert content(tmp_path).keys() == FILES


def test_without_writing_it_is_only_reported(tmp_path: Path) -> None:
    assert ensure(tmp_path / "new", write=False) == (True, True)
    assert not (tmp_path / "new").exists()
    ensure(tmp_path)
    before = content(tmp_path)
    assert ensure(tmp_path, write=False) == (False, False)
    assert ensure(tmp_path, hosts=["bar.example"], write=False) == (False, True)
    assert ensure(tmp_path, NOW + certificates.AUTHORITY_LIFE, write=False) == (True, True)
    assert content(tmp_path) == before


def test_the_longest_name_of_a_cluster_names_an_authority(tmp_path: Path) -> None:
    """X.509 takes 64 characters, and role tenants adds a word to a name of at most 63."""
    authority, _ = certificates.ensure_authority(tmp_path, f"{'a' * 63} gateways", NOW)
    assert authority
    assert authority.certificate.subject.rfc4514_string() == f"CN={'a' * 63}"
    assert certificates.ensure_certificate(authority, tmp_path, "foo", HOSTS, NOW)
    assert not certificates.ensure_certificate(authority, tmp_path, "foo", HOSTS, NOW)


def test_no_certificate_takes_the_authoritys_files(tmp_path: Path) -> None:
    authority, _ = certificates.ensure_authority(tmp_path, "test", NOW)
    before = content(tmp_path)
    with pytest.raises(ValueError, match="ca: found the name of the authority's own files"):
        certificates.ensure_certificate(authority, tmp_path, "ca", HOSTS, NOW)
    assert content(tmp_path) == before


# --- users' own certificates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hosts", [[], ["*"], ["foo.example"], ["foo.example", "192.168.1.11", "*"]])
def test_a_certificate_for_all_hosts_has_no_problems(tmp_path: Path, hosts: list[str]) -> None:
    certificate, key = pair(tmp_path, HOSTS)
    assert certificates.problems(certificate, key, hosts, NOW) == []
    assert certificates.problems(certificate + b"the next one of a chain", key, hosts, NOW) == []


def test_a_certificate_is_valid_from_its_first_to_its_last_day(tmp_path: Path) -> None:
    given = pair(tmp_path, HOSTS)
    begin, end = NOW - certificates.CLOCK_DIFFERENCE, NOW + certificates.LIFE
    for moment in (begin, end - MINUTE):
        assert certificates.problems(*given, ["foo.example"], moment) == []
    assert certificates.problems(*given, ["foo.example"], end + MINUTE) == [
        ("cert", f"a certificate that expired on {end:%Y-%m-%d}", "one that is valid today")
    ]
    assert certificates.problems(*given, ["foo.example"], begin - MINUTE) == [
        ("cert", f"a certificate that is valid from {begin:%Y-%m-%d} on", "one that is valid today")
    ]


def test_the_key_of_another_certificate_is_a_problem(tmp_path: Path) -> None:
    certificate, _ = pair(tmp_path / "one", HOSTS)
    _, key = pair(tmp_path / "two", HOSTS)
    assert certificates.problems(certificate, key, [], NOW) == [
        ("key", "the key of another certificate", "the key of the certificate")
    ]


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (["*.example"], "foo.example", True),
        (["*.example"], "*.example", True),
        (["*.example"], "example", False),
        (["*.example"], "a.foo.example", False),
        (["*.foo.example"], "foo.example", False),
        (["foo.example"], "*.example", False),
        (["FOO.example"], "foo.example", True),
        (["192.168.1.11"], "192.168.1.12", False),
    ],
)
def test_which_hosts_a_certificate_covers(tmp_path: Path, names: list[str], host: str, good: bool) -> None:
    found = certificates.problems(*pair(tmp_path, names), [host], NOW)
    shown = ", ".join(names)
    assert found == ([] if good else [("cert", f"a certificate for {shown}", f"one for {host} too")])


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    certificate, _ = pair(tmp_path, ["b.example", "a.example"], NOW - certificates.LIFE - MINUTE)
    ended = f"{NOW - MINUTE:%Y-%m-%d}"
    found = certificates.problems(certificate, b"", ["a.example", "c.example", "d.example"], NOW)
    assert found == [
        ("key", "no PEM private key without a password", "the key of the certificate, without a password"),
        ("cert", f"a certificate that expired on {ended}", "one that is valid today"),
        ("cert", "a certificate for a.example, b.example", "one for c.example, d.example too"),
    ]


def test_what_is_no_pem_is_a_problem(tmp_path: Path) -> None:
    certificate, key = pair(tmp_path, HOSTS)
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    for text in (b"", b"no certificate", key, der, certificate[:200]):
        (problem,) = certificates.problems(text, key, HOSTS, NOW)
        assert problem[:2] == ("cert", "no PEM certificate")
    locked = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    for text in (b"", b"no key", certificate, key[:100], locked):
        (problem,) = certificates.problems(certificate, text, HOSTS, NOW)
        assert problem[:2] == ("key", "no PEM private key without a password")


def test_a_certificate_without_names_covers_none(tmp_path: Path) -> None:
    """An authority's, for instance: its common name does not count."""
    ensure(tmp_path)
    given = (tmp_path / "ca.crt").read_bytes(), (tmp_path / "ca.key").read_bytes()
    assert certificates.problems(*given, ["test"], NOW) == [("cert", "a certificate for no name", "one for test too")]


# --- the action -------------------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs a play of the action that makes certificates by name below the test's folder."""

    def start(wanted: dict[str, list[str]], *words: str, **more: Any) -> Run:
        arguments = {"dest": str(tmp_path / "gateways"), "authority": "test", "certificates": wanted, **more}
        path = task_play(tmp_path, "twinstack.core.gateway_certificates", arguments, "found['made']")
        return playbook("-i", "localhost,", path, *words)

    return start


def test_the_action_makes_what_is_lacking_and_shows_no_key(tmp_path: Path, make: Callable[..., Run]) -> None:
    wanted = {"foo": HOSTS, "bar": ["bar.example"]}
    told = make(wanted, "--check", "-vvv").succeeded().output
    assert "changed=1" in told
    assert '["ca", "bar", "foo"]' in told
    assert not (tmp_path / "gateways").exists()
    done = make(wanted, "-vvv", "--diff").succeeded().output
    assert "changed=1" in done
    assert '["ca", "bar", "foo"]' in done
    files = content(tmp_path / "gateways")
    assert files.keys() == FILES | {"bar.crt", "bar.key"}
    again = make(wanted, "-vvv").succeeded().output
    assert "changed=0" in again
    assert content(tmp_path / "gateways") == files
    for name in ("ca.key", "foo.key", "bar.key"):
        lines = files[name].decode().splitlines()
        assert len(lines) > 2
        for line in lines:
            assert line not in told + done + again


def test_the_action_removes_what_nobody_wants_any_more_and_leaves_what_is_not_its_own(
    tmp_path: Path, make: Callable[..., Run]
) -> None:
    folder = tmp_path / "gateways"
    make({"foo": HOSTS, "bar": ["bar.example"]}).succeeded()
    pair(tmp_path / "elsewhere", HOSTS)
    for suffix in (".crt", ".key"):
        (folder / f"users{suffix}").write_bytes((tmp_path / "elsewhere" / f"foo{suffix}").read_bytes())
    theirs = {"users.crt", "users.key"}
    told = make({"foo": HOSTS}, "--check", "-vvv").succeeded().output
    assert "changed=1" in told
    assert content(folder).keys() == FILES | theirs | {"bar.crt", "bar.key"}
    assert "changed=1" in make({"foo": HOSTS}).succeeded().output
    assert content(folder).keys() == FILES | theirs
    assert "changed=0" in make({"foo": HOSTS}).succeeded().output
    make({}).succeeded()
    assert content(folder).keys() == {"ca.crt", "ca.key"} | theirs


def test_the_action_without_certificates_makes_no_authority(tmp_path: Path, make: Callable[..., Run]) -> None:
    assert "changed=0" in make({}).succeeded().output
    assert not (tmp_path / "gateways").exists()


def test_the_action_refuses_the_authoritys_name(make: Callable[..., Run]) -> None:
    failed = make({"ca": HOSTS})
    assert failed.code != 0
    assert "certificates: ca: found the name of the authority's own files; expected another one" in failed.output


def test_the_action_removes_nothing_before_its_server_is_gone(tmp_path: Path, make: Callable[..., Run]) -> None:
    """The removal of a tenant may yet be refused."""
    folder = tmp_path / "gateways"
    make({"foo": HOSTS, "bar": ["bar.example"]}).succeeded()
    assert "changed=0" in make({"foo": HOSTS}, remove=False).succeeded().output
    assert content(folder).keys() == FILES | {"bar.crt", "bar.key"}
    assert "changed=1" in make({"foo": HOSTS}, remove=True).succeeded().output
    assert content(folder).keys() == FILES
