"""An issuer of tokens, and the address in the cluster where it publishes its keys."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_authority import Authority
from tests.support.cluster_gateway import IN_FORCE_SECONDS
from tests.support.cluster_pods import gone, python_pod, running

ISSUER, AUDIENCE, NUMBER = "https://tokens.example.com", "models", "e2e"
HOUR = 3600
_KEY_SERVER = """
import http.server, os, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
class Keys(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = os.environ["KEYS"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
class Server(http.server.ThreadingHTTPServer):
    def finish_request(self, connection, address):
        try:
            Keys(context.wrap_socket(connection, server_side=True), address, self)
        except ssl.SSLError as error:
            print(error.reason, flush=True)
Server(("", 8443), Keys).serve_forever()
"""


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def keys(self) -> str:
        """Return what it publishes."""
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return json.dumps({"keys": [{**public, "kid": NUMBER, "use": "sig", "alg": "RS256"}]})

    def token(self, **claims: Any) -> str:
        """Return a token that is valid for an hour where `claims` say nothing else; None leaves one out."""
        given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop", "exp": int(time.time()) + HOUR, **claims}
        given = {claim: value for claim, value in given.items() if value is not None}
        return jwt.encode(given, self._key, algorithm="RS256", headers={"kid": NUMBER})


class KeyServer:
    """An issuer's address in its own namespace, its certificate of an authority that no image knows."""

    host = "login.example.com"

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.authority = Authority(namespace).certificate("login-tls", self.host)["ca.crt"]
        ports = [{"port": 443, "targetPort": 8443}]
        spec = {"selector": {"app": "login"}, "ports": ports}
        namespace.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "login"}, "spec": spec})

    def start(self, issuer: Issuer) -> None:
        """Publish an issuer's keys."""
        pod = python_pod(self.namespace.cluster, "login", _KEY_SERVER, labels={"app": "login"})
        (container,) = pod["spec"]["containers"]
        container["env"] = [{"name": "KEYS", "value": issuer.keys()}]
        container["volumeMounts"] = [{"name": "tls", "mountPath": "/tls"}]
        pod["spec"]["volumes"] = [{"name": "tls", "secret": {"secretName": "login-tls"}}]
        running(self.namespace, pod)

    def stop(self) -> None:
        """Be down."""
        gone(self.namespace, "login")

    def trust(self, authority: str) -> None:
        """Say by whom the certificate is signed."""
        data = {"ca.crt": authority}
        self.namespace.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "login-ca"}, "data": data}
        )

    def heard(self, word: str) -> None:
        """Wait until this is what the server said last."""

        def look() -> None:
            if not (said := self.namespace.logs("login")).rstrip().endswith(word):
                raise NotYet(said)

        until(f"the issuer's server says {word}", look, IN_FORCE_SECONDS)
