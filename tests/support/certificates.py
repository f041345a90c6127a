"""A small cluster of Certificates and issuers in memory, for the pure decisions and what they issue."""

import base64
import ssl
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from serinus_agents.certificates.deciding import Inject, Issue, Status, World, decide
from serinus_agents.certificates.signing import issue

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SERVICE = "kserve-webhook-server-service.kserve.svc"


def issuer(name: str, spec: dict, namespace: str = "kserve") -> dict:
    meta = {"name": name, "generation": 1} | ({"namespace": namespace} if namespace else {})
    return {"metadata": meta, "spec": spec}


def certificate(name: str = "serving-cert", namespace: str = "kserve", **spec: Any) -> dict:
    """Return what KServe's chart asks for, changed by `spec`. ECDSA, because RSA keys take time to make."""
    asked = {
        "commonName": SERVICE,
        "dnsNames": [SERVICE],
        "issuerRef": {"kind": "Issuer", "name": "selfsigned"},
        "secretName": f"{name}-secret",
        "privateKey": {"algorithm": "ECDSA"},
    }
    asked = {key: value for key, value in {**asked, **spec}.items() if value is not None}
    return {"metadata": {"name": name, "namespace": namespace, "generation": 1}, "spec": asked}


def world(*certificates: dict, issuers: tuple[dict, ...] = (), **more: Any) -> World:
    """Return a world of certificates with a self-signed issuer, beside others."""

    def keyed(items: tuple[dict, ...]) -> dict:
        return {(one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in items}

    everyone = (issuer("selfsigned", {"selfSigned": {}}), *issuers)
    own = tuple(one for one in everyone if one["metadata"].get("namespace"))
    shared = tuple(one for one in everyone if not one["metadata"].get("namespace"))
    return World(keyed(certificates), keyed(own), keyed(shared), dict(more.pop("secrets", {})), **more)


def step(at: World, now: datetime = NOW) -> tuple[list[str], World]:
    """Do what is decided, as the loop would; return it in words, and the world after it."""
    said: list[str] = []
    secrets, objects = dict(at.secrets), {**at.certificates, **at.issuers, **at.cluster_issuers}
    for action in decide(at, now):
        match action:
            case Issue(wanted):
                said.append(f"issue {wanted.name}")
                secrets[wanted.namespace, wanted.secret] = issue(wanted, action.authority, now, action.kept)
            case Status(path, status):
                name = path.rpartition("/")[2]
                key = next(key for key in objects if key[1] == name)
                objects[key] = {**objects[key], "status": {**objects[key].get("status", {}), **status}}
                said.append(f"{name} {status['conditions'][-1]['status']}")
            case Inject(path):
                said.append(f"inject {path}")
    pick = lambda keys: {key: objects[key] for key in keys}  # noqa: E731 (three uses, one line each)
    after = World(
        pick(at.certificates), pick(at.issuers), pick(at.cluster_issuers), secrets, dict(at.injectables)
    )
    return said, after


def settle(at: World, now: datetime = NOW) -> World:
    """Step until nothing is left to do."""
    for _ in range(6):
        said, at = step(at, now)
        if not said:
            return at
    raise AssertionError(f"no rest after six steps: {said}")


def leaf(secret: dict) -> x509.Certificate:
    return x509.load_pem_x509_certificates(base64.b64decode(secret["data"]["tls.crt"]))[0]


def handshake(secret: dict, folder: Any, host: str, bundle: bytes | None = None) -> None:
    """Have a TLS server with the Secret's pair and a client that trusts its bundle meet, in memory."""
    for key, value in secret["data"].items():
        (folder / key).write_bytes(base64.b64decode(value))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A self-signed certificate that is no CA verifies itself only so; Go's verifier needs no such word.
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    asking.load_verify_locations(cadata=(bundle or base64.b64decode(secret["data"]["ca.crt"])).decode())
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(up, down, server_side=True)
    client = asking.wrap_bio(down, up, server_hostname=host)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version()
    assert client.getpeercert()
