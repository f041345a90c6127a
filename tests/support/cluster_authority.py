"""Certificates of an authority that only one namespace knows, as cert-manager issues them there."""

import base64

from tests.support.cluster import Namespace, NotYet, Object, condition, until

API = "cert-manager.io/v1"
ISSUED_SECONDS = 60
_KEY = {"algorithm": "ECDSA", "rotationPolicy": "Always"}


class Authority:
    """A CA of its own in a namespace, in the Secret `name`."""

    def __init__(self, namespace: Namespace, name: str = "ca") -> None:
        self.namespace, self.name = namespace, name
        issuer = {"issuerRef": {"name": f"{name}-self"}}
        self._apply("Issuer", f"{name}-self", {"selfSigned": {}})
        self._apply(
            "Certificate", name, {"isCA": True, "commonName": "stories", "secretName": name, **issuer}
        )
        self._apply("Issuer", name, {"ca": {"secretName": name}})

    def certificate(self, name: str, *hosts: str) -> dict[str, str]:
        """Have a certificate for `hosts` issued into the Secret `name`; return what it holds, as PEM."""
        spec = {"dnsNames": list(hosts), "secretName": name, "issuerRef": {"name": self.name}}
        self._apply("Certificate", name, spec)

        def look() -> dict[str, str]:
            told = condition(self.namespace.get(API, "Certificate", name), "Ready")
            secret = self.namespace.get("v1", "Secret", name)
            if told.get("status") != "True" or secret is None:
                raise NotYet(told)
            return {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}

        return until(f"Certificate {name} is issued", look, ISSUED_SECONDS)

    def _apply(self, kind: str, name: str, spec: Object) -> None:
        if kind == "Certificate":
            spec = {**spec, "privateKey": _KEY}
        self.namespace.apply({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec})
