"""What is wrong with certificates that tenants name."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenants as tenant_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates

from tests.unit.plugin_utils.manifests.tenant_samples import FOO

NOW = certificates.today()


def judged(folder: Path, now: datetime, names: list[str], **changes: Any) -> list[str]:
    """What is wrong with a tenant foo whose own certificate for these names was made at a time, as lines."""
    authority, _ = certificates.ensure_authority(folder, "test", now)
    certificates.ensure_certificate(authority, folder, "foo", names, now)
    paths = {"cert": str(folder / "foo.crt"), "key": str(folder / "foo.key")} | changes
    settings = {"twinstack_tenants": [FOO | {"certificate": paths}]}
    defaults = {"istio_revisions": [{"name": "stable", "default": True}], "twinstack_tenants_revision": "stable"}
    return [finding.line() for finding in tenant_rules.check_tenants(settings, defaults, lambda name: "all.yml")]


def test_a_fitting_certificate_is_accepted(tmp_path: Path) -> None:
    assert judged(tmp_path, NOW, ["foo.example"]) == []
    assert judged(tmp_path / "wildcard", NOW, ["*.example"]) == []


@pytest.mark.parametrize(
    ("age", "names", "found"),
    [
        (
            certificates.LIFE + timedelta(days=2),
            ["foo.example"],
            f"a certificate that expired on {NOW - timedelta(days=2):%Y-%m-%d}; expected one that is valid today",
        ),
        (
            timedelta(days=-2),
            ["foo.example"],
            "a certificate that is valid from "
            f"{NOW + timedelta(days=2) - certificates.CLOCK_DIFFERENCE:%Y-%m-%d} on; expected one that is valid today",
        ),
        (timedelta(0), ["bar.example"], "a certificate for bar.example; expected one for foo.example too"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    tmp_path: Path, age: timedelta, names: list[str], found: str
) -> None:
    hint = f"openssl x509 -noout -text -in {tmp_path}/foo.crt"
    assert judged(tmp_path, NOW - age, names) == [
        f"all.yml: twinstack_tenants[0].certificate.cert: found {found}. Try: {hint}"
    ]


def test_a_key_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    judged(tmp_path / "other", NOW, ["foo.example"])
    hint = f"openssl x509 -noout -text -in {tmp_path}/foo.crt"
    assert judged(tmp_path, NOW, ["foo.example"], key=str(tmp_path / "other" / "foo.key")) == [
        "all.yml: twinstack_tenants[0].certificate.key: found the key of another certificate; "
        f"expected the key of the certificate. Try: {hint}"
    ]


def test_a_path_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert judged(tmp_path, NOW, ["foo.example"], cert="~/foo.crt", key="~/foo.key") == []


def test_a_tenant_is_not_removed_and_listed_at_once() -> None:
    """One that is gone already may stay named: the run after the removal."""
    settings = {"twinstack_tenants": [FOO], "tenants_remove": ["bar", FOO["name"]]}
    defaults = {"istio_revisions": [{"name": "stable", "default": True}], "twinstack_tenants_revision": "stable"}
    (line,) = [finding.line() for finding in tenant_rules.check_tenants(settings, defaults, lambda name: f"{name}.yml")]
    assert line == (
        f"tenants_remove.yml: tenants_remove[1]: found {FOO['name']}, which twinstack_tenants[0] still lists; "
        "expected a tenant that is no longer listed. Try: one of the two, without the other"
    )
