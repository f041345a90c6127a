"""What is issued verifies: chains, names, usages, keys; and what a Certificate may ask for."""

import base64
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.support.certificates import NOW, SERVICE, certificate, handshake, issuer, leaf, settle, world

from serinus_agents.certificates.pairs import Pair, read
from serinus_agents.certificates.signing import issue
from serinus_agents.certificates.wanted import parse_duration
from serinus_agents.certificates.wanted import read as read_certificate
from serinus_agents.problems import BadObject


@pytest.fixture
def today() -> datetime:
    """NOW is a fixed day, and a handshake needs the present."""
    return datetime.now(UTC)


def make(now, authority: Pair | None = None, **spec: object) -> dict:
    return issue(read_certificate(certificate(**spec)), authority, now)


def test_kserves_certificate_serves_and_its_bundle_verifies_it(tmp_path, today):
    secret = make(today, privateKey=None)
    handshake(secret, tmp_path, SERVICE)
    assert secret["type"] == "kubernetes.io/tls"
    key = load_pem_private_key(base64.b64decode(secret["data"]["tls.key"]), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048


def test_another_name_and_another_bundle_are_refused(tmp_path, today):
    secret, other = make(today), make(today)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(secret, tmp_path, "other.kserve.svc")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(secret, tmp_path, SERVICE, base64.b64decode(other["data"]["ca.crt"]))


def test_a_chain_of_three_verifies_with_the_root_alone(tmp_path, today):
    root = read(make(today, isCA=True, commonName="root", dnsNames=None))
    middle = read(make(today, root, isCA=True, commonName="middle", dnsNames=None))
    secret = make(today, middle)
    handshake(secret, tmp_path, SERVICE)
    chain = x509.load_pem_x509_certificates(base64.b64decode(secret["data"]["tls.crt"]))
    assert [one.subject for one in chain[1:]] == [middle.leaf.subject]
    assert base64.b64decode(secret["data"]["ca.crt"]) == root.bundle


def test_no_certificate_outlives_its_authority():
    root = read(make(NOW, isCA=True, commonName="root", duration="48h"))
    assert leaf(make(NOW, root)).not_valid_after_utc == NOW + timedelta(hours=48)


def test_names_usages_and_basic_constraints():
    found = leaf(
        make(
            NOW,
            ipAddresses=["10.0.0.1", "fd00::1"],
            uris=["spiffe://cluster/a"],
            emailAddresses=["a@example.com"],
            usages=["digital signature", "server auth", "client auth"],
        )
    )
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [SERVICE]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "fd00::1"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://cluster/a"]
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_encipherment
    extended = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {one._name for one in extended} == {"serverAuth", "clientAuth"}
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_ca_may_sign_certificates():
    usage = leaf(make(NOW, isCA=True)).extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign


@pytest.mark.parametrize(
    ("asked", "kind", "size", "begins"),
    [
        ({}, rsa.RSAPrivateKey, 2048, b"-----BEGIN RSA PRIVATE KEY"),
        ({"encoding": "PKCS8"}, rsa.RSAPrivateKey, 2048, b"-----BEGIN PRIVATE KEY"),
        ({"algorithm": "ECDSA"}, ec.EllipticCurvePrivateKey, 256, b"-----BEGIN EC PRIVATE KEY"),
        ({"algorithm": "ECDSA", "size": 521}, ec.EllipticCurvePrivateKey, 521, b"-----BEGIN EC PRIVATE KEY"),
        ({"algorithm": "Ed25519"}, ed25519.Ed25519PrivateKey, None, b"-----BEGIN PRIVATE KEY"),
    ],
)
def test_keys(asked: dict, kind: type, size: int | None, begins: bytes):
    text = base64.b64decode(make(NOW, privateKey=asked)["data"]["tls.key"])
    key = load_pem_private_key(text, None)
    assert isinstance(key, kind)
    assert getattr(key, "key_size", None) == size
    assert text.startswith(begins)


def test_the_secret_carries_the_template_and_where_it_comes_from():
    template = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    meta = make(NOW, secretTemplate=template)["metadata"]
    assert meta["labels"]["a"] == "b"
    assert meta["annotations"]["c"] == "d"
    assert meta["annotations"]["cert-manager.io/certificate-name"] == "serving-cert"


@pytest.mark.parametrize(
    ("text", "hours"), [("2160h", 2160), ("720h0m0s", 720), ("1h30m", 1.5), ("90m", 1.5), ("0.5h", 0.5)]
)
def test_durations(text: str, hours: float):
    assert parse_duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "90", "3d", "h1", "1h later"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(BadObject, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"privateKey": {"algorithm": "DSA"}}, "is none of RSA, ECDSA, Ed25519"),
        ({"privateKey": {"size": 1024}}, "is none of 2048"),
        ({"renewBefore": "2160h"}, "never rest"),
        ({"renewBeforePercentage": 100}, "never rest"),
        ({"subject": {"organizations": ["x"]}}, "subject: not supported"),
        ({"usages": ["ipsec user"]}, "usages ipsec user"),
        ({"commonName": "x" * 65}, "no certificate can hold this"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(spec: dict, told: str):
    with pytest.raises(BadObject, match=told):
        make(NOW, **spec)


def test_an_issued_authority_is_the_issuers():
    ca = issuer("ca-issuer", {"ca": {"secretName": "ca-secret"}})
    at = settle(
        world(certificate("ca", isCA=True), certificate(issuerRef={"name": "ca-issuer"}), issuers=(ca,))
    )
    bundle = at.secrets["kserve", "serving-cert-secret"]["data"]["ca.crt"]
    assert bundle == at.secrets["kserve", "ca-secret"]["data"]["tls.crt"]
