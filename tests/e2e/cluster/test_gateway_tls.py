"""Story: the encrypted way in shows a certificate of the platform's CA, and takes old TLS no more."""

import socket
import ssl

import httpx
import pytest
from cryptography import x509
from tests.support.cluster import Cluster
from tests.support.cluster_gateway import ENCRYPTED, KEY, ask, authority, key_of
from tests.support.cluster_models import MODELS, PREDICT, REQUEST

pytestmark = pytest.mark.cluster

HOST = f"iris-{MODELS}.example.com"


def handshake(context: ssl.SSLContext, host: str = HOST) -> x509.Certificate:
    """Return the certificate that the gateway shows to `host`."""
    url = httpx.URL(ENCRYPTED)
    with (
        socket.create_connection((url.host, url.port or 443), 5) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown)


def test_a_prediction_by_tls(cluster: Cluster):
    # Given the certificate of the CA that the platform made
    trusted = authority(cluster)
    # When a client asks by TLS, then it gets a prediction, and the key is asked for here too
    key = {KEY: key_of(cluster, MODELS)}
    assert ask(HOST, PREDICT, headers=key, trusting=trusted, json=REQUEST).json()["predictions"] == ["setosa"]
    assert ask(HOST, PREDICT, trusting=trusted, json=REQUEST).status_code == 401
    # And the certificate is for all models' hosts
    shown = handshake(ssl.create_default_context(cadata=trusted))
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"example.com", "*.example.com"}
    # And for no other host
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(ssl.create_default_context(cadata=trusted), host="models.example.org")
    # And who does not know the CA does not connect
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get|self-signed"):
        handshake(ssl.create_default_context())
    # And TLS 1.1 is not spoken
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cadata=trusted)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(old)
