"""A Secret's certificate chain and key, read; and an issuer's, as the authority that signs."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from serinus_agents.problems import BadObject

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
DIGEST = "serinus.dev/certificate-spec"


@dataclass(frozen=True)
class Pair:
    """A chain, leaf first, the leaf's key, and the bundle that verifies it (empty where none is held)."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey
    bundle: bytes

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that the key belongs to."""
        return self.chain[0]


def read(secret: Mapping[str, Any]) -> Pair:
    """Return what a Secret of type kubernetes.io/tls holds.

    Raises:
        BadObject: something is missing, unreadable, or the key is another certificate's.
    """
    data = secret.get("data") or {}
    if missing := [key for key in ("tls.crt", "tls.key") if not data.get(key)]:
        raise BadObject(f"{', '.join(missing)} is missing")
    try:
        chain = tuple(x509.load_pem_x509_certificates(base64.b64decode(data["tls.crt"])))
        key = load_pem_private_key(base64.b64decode(data["tls.key"]), password=None)
        bundle = base64.b64decode(data.get("ca.crt") or "")
    except (ValueError, TypeError, binascii.Error) as problem:
        raise BadObject(f"it holds no PEM certificate and key: {problem}") from problem
    if not isinstance(key, PrivateKey):
        raise BadObject(f"a key of type {type(key).__name__} is neither RSA, ECDSA nor Ed25519")
    if _spki(key.public_key()) != _spki(chain[0].public_key()):
        raise BadObject("the key is not the certificate's")
    return Pair(chain, key, bundle)


def read_authority(secret: Mapping[str, Any]) -> Pair:
    """Return a pair that may sign.

    Raises:
        BadObject: as `read`, or the certificate is no CA's.
    """
    pair = read(secret)
    try:
        is_ca = pair.leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if not is_ca:
        raise BadObject("its certificate is no CA's")
    return pair


def is_root(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is its own issuer."""
    return certificate.issuer == certificate.subject


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
