"""A certificate authority of the tests' own, and servers' pairs that it signs."""

import base64
from pathlib import Path

from tests.support.certificates import certificate, issuer, settle, world


def pair(folder: Path, host: str) -> Path:
    """Write ca.crt, tls.crt and tls.key for a server `host` into `folder`, and return it."""
    of = {"ca": {"secretName": "ca-secret"}}
    wanted = certificate(commonName=host, dnsNames=[host], issuerRef={"name": "ca-issuer"})
    at = settle(world(certificate("ca", isCA=True), wanted, issuers=(issuer("ca-issuer", of),)))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in at.secrets["kserve", "serving-cert-secret"]["data"].items():
        (folder / name).write_bytes(base64.b64decode(text))
    return folder
