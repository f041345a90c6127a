"""Make a key and a certificate. The only thing here that is not a function of its arguments is chance."""

import base64
import ipaddress
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from serinus_agents.certificates.pairs import DIGEST, Pair, PrivateKey, is_root
from serinus_agents.certificates.wanted import GROUP, Key, Wanted
from serinus_agents.problems import BadObject

CURVES: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
}
EXTENDED_USAGES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


def issue(
    wanted: Wanted, authority: Pair | None, now: datetime, kept: PrivateKey | None = None
) -> dict[str, object]:
    """Return the Secret for a certificate that begins now, signed by an authority or by itself.

    Raises:
        BadObject: a usage that is not supported here, or a name that no certificate can hold.
    """
    key = kept or new_key(wanted.key)
    try:
        leaf = _certificate(wanted, key, authority, now)
    except (ValueError, TypeError) as problem:  # the library's word for what X.509 cannot hold
        raise BadObject(f"no certificate can hold this: {problem}") from problem
    above = authority.chain if authority else ()
    chain = [leaf, *(one for one in above if not is_root(one))]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": wanted.secret,
            "namespace": wanted.namespace,
            "labels": {**wanted.labels, "controller.cert-manager.io/fao": "true"},
            "annotations": {
                **wanted.annotations,
                f"{GROUP}/certificate-name": wanted.name,
                f"{GROUP}/issuer-kind": wanted.issuer[0],
                f"{GROUP}/issuer-name": wanted.issuer[1],
                DIGEST: wanted.digest,
            },
        },
        "data": {
            "tls.crt": _text(b"".join(one.public_bytes(Encoding.PEM) for one in chain)),
            "tls.key": _text(_private(key, wanted.key.encoding)),
            "ca.crt": _text(_bundle(authority) if authority else leaf.public_bytes(Encoding.PEM)),
        },
    }


def new_key(spec: Key) -> PrivateKey:
    """Return a new private key."""
    match spec.algorithm:
        case "ECDSA":
            return ec.generate_private_key(CURVES[spec.size])
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, spec.size)


def fits(key: PrivateKey, spec: Key) -> bool:
    """Tell whether a key that is there is of the kind that is asked for."""
    match key:
        case rsa.RSAPrivateKey():
            return (spec.algorithm, spec.size) == ("RSA", key.key_size)
        case ec.EllipticCurvePrivateKey():
            return (spec.algorithm, spec.size) == ("ECDSA", key.key_size)
        case _:
            return spec.algorithm == "Ed25519"


def _certificate(wanted: Wanted, key: PrivateKey, authority: Pair | None, now: datetime) -> x509.Certificate:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)] if wanted.common_name else []
    )
    signer = authority.key if authority else key
    begin = now.replace(microsecond=0)
    end = begin + wanted.duration
    if authority:  # no chain is valid after its authority
        end = min(end, authority.leaf.not_valid_after_utc)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.leaf.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=wanted.is_ca, path_length=None), critical=True)
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    names = _names(wanted)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not wanted.common_name)
    for extension, critical in _usages(wanted):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else SHA256())


def _names(wanted: Wanted) -> list[x509.GeneralName]:
    return [
        *map(x509.DNSName, wanted.dns_names),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.addresses),
        *map(x509.UniformResourceIdentifier, wanted.uris),
        *map(x509.RFC822Name, wanted.emails),
    ]


def _usages(wanted: Wanted) -> list[tuple[x509.ExtensionType, bool]]:
    usages = [*wanted.usages, *(["cert sign"] if wanted.is_ca else [])]
    if unknown := [usage for usage in usages if usage not in KEY_USAGES and usage not in EXTENDED_USAGES]:
        raise BadObject(f"usages {', '.join(unknown)}: not supported by this stand-in for cert-manager")
    asked = {KEY_USAGES[usage] for usage in usages if usage in KEY_USAGES}
    bits = {name: name in asked for name in {*KEY_USAGES.values(), "encipher_only", "decipher_only"}}
    extended = [EXTENDED_USAGES[usage] for usage in usages if usage in EXTENDED_USAGES]
    found: list[tuple[x509.ExtensionType, bool]] = [(x509.KeyUsage(**bits), True)] if asked else []
    return [*found, *([(x509.ExtendedKeyUsage(extended), False)] if extended else [])]


def _bundle(authority: Pair) -> bytes:
    """Return what verifies a chain of an authority: the topmost certificate that is known."""
    return authority.bundle or authority.chain[-1].public_bytes(Encoding.PEM)


def _private(key: PrivateKey, encoding: str) -> bytes:
    traditional = encoding == "PKCS1" and not isinstance(key, ed25519.Ed25519PrivateKey)
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
