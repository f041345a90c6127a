"""A build gets this machine's way to the package index, and only that, and only as secrets."""

import os
from pathlib import Path

import pytest

from serinus_airgap import buildkit


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"SSL_CERT_FILE": "/a.pem"}, Path("/a.pem")),
        ({"SSL_CERT_FILE": "/a.pem", "PIP_CERT": "/b.pem"}, Path("/b.pem")),
        ({"PIP_CERT": "", "REQUESTS_CA_BUNDLE": "/c.pem"}, Path("/c.pem")),
    ],
)
def test_the_most_special_certificates_win(environment: dict[str, str], expected: Path | None):
    assert buildkit.ca_bundle(environment) == expected


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", {}),
        ("global.index-url='https://index.example/simple'", {"index-url": "https://index.example/simple"}),
        (":env:.timeout='9'\nglobal.timeout='5'", {"timeout": "9"}),
        (
            "global.extra-index-url='https://index.example/?a=b'",
            {"extra-index-url": "https://index.example/?a=b"},
        ),
        ("no setting", {}),
    ],
)
def test_pips_own_listing_is_read(listing: str, expected: dict[str, str]):
    assert buildkit.parse_pip_settings(listing) == expected


@pytest.mark.parametrize(
    ("settings", "with_ca", "expected"),
    [
        ({}, False, ""),
        ({}, True, "[global]\ncert = /run/secrets/ca.crt\n"),
        ({"proxy": "http://proxy.example"}, False, "[global]\nproxy = http://proxy.example\n"),
        # Folders of the building machine are none of the build's; its certificates have another path there.
        ({"find-links": "/here", "cert": "/here.pem"}, False, ""),
    ],
)
def test_a_build_step_is_told_what_it_can_use(settings: dict[str, str], with_ca: bool, expected: str):
    assert buildkit.pip_conf(settings, with_ca) == expected


def test_the_settings_are_private_files(tmp_path: Path):
    certificates = tmp_path / "ca.pem"
    certificates.write_text("-----BEGIN CERTIFICATE-----\n")
    options = buildkit.secrets(tmp_path / "secrets", {**os.environ, "PIP_CERT": str(certificates)})
    assert f"id=ca.crt,src={certificates}" in options
    written = tmp_path / "secrets" / "pip.conf"
    assert f"id=pip.conf,src={written}" in options
    assert "cert = /run/secrets/ca.crt" in written.read_text()
    assert written.stat().st_mode & 0o077 == 0


def test_without_a_client_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(buildkit.NoBuildKitError, match=r"install docker-buildx, or Debian's docker\.io"):
        buildkit.client()
