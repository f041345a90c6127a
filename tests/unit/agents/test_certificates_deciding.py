"""What is issued and written, when, and that it comes to rest."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.certificates import NOW, certificate, issuer, leaf, settle, step, world

from serinus_agents.certificates.deciding import World, secrets_of

SECRET = ("kserve", "serving-cert-secret")
CA = certificate("ca", isCA=True, commonName="our CA", dnsNames=None)
BY_CA = {"issuerRef": {"name": "ca-issuer"}}
CA_ISSUER = issuer("ca-issuer", {"ca": {"secretName": "ca-secret"}})


def ready(at: World, name: str) -> tuple[str, str]:
    objects = {**at.certificates, **at.issuers, **at.cluster_issuers}
    raw = next(raw for key, raw in objects.items() if key[1] == name)
    condition = raw["status"]["conditions"][-1]
    assert condition["type"] == "Ready"
    return condition["status"], condition["message"]


def test_a_certificate_is_issued_then_ready_and_then_nothing_is_left_to_do():
    said, after = step(world(certificate()))
    assert said == ["selfsigned True", "issue serving-cert"]
    said, after = step(after)
    assert said == ["serving-cert True"]
    assert step(after)[0] == []
    assert after.certificates["kserve", "serving-cert"]["status"]["renewalTime"] == "2027-01-20T12:00:00Z"


def test_a_ca_is_issued_then_its_issuer_is_ready_then_it_signs():
    at = world(CA, certificate(**BY_CA), issuers=(CA_ISSUER,))
    said, at = step(at)
    assert said == ["selfsigned True", "ca-issuer False", "issue ca", "serving-cert False"]
    assert "does not exist" in ready(at, "serving-cert")[1]
    said, at = step(at)
    assert said == ["ca-issuer True", "ca True", "issue serving-cert"]
    at = settle(at)
    assert ready(at, "serving-cert")[0] == "True"
    authority = leaf(at.secrets["kserve", "ca-secret"])
    leaf(at.secrets[SECRET]).verify_directly_issued_by(authority)


def test_a_cluster_issuer_signs_for_any_namespace_with_a_secret_of_its_own():
    ca = certificate(
        "ca", namespace="cert-manager", isCA=True, issuerRef={"name": "self", "kind": "ClusterIssuer"}
    )
    other = certificate(namespace="shop", issuerRef={"name": "shared", "kind": "ClusterIssuer"})
    shared = issuer("shared", {"ca": {"secretName": "ca-secret"}}, namespace="")
    at = world(ca, other, issuers=(issuer("self", {"selfSigned": {}}, namespace=""), shared))
    assert ("cert-manager", "ca-secret") in secrets_of(at)
    at = settle(at)
    assert ready(at, "serving-cert")[0] == "True"
    assert ready(at, "shared")[0] == "True"


SETTLED = settle(world(CA, certificate(**BY_CA), issuers=(CA_ISSUER,)))


def change(**spec: object) -> World:
    held = SETTLED.certificates["kserve", "serving-cert"]
    changed = {**held, "spec": {**held["spec"], **spec}}
    return replace(SETTLED, certificates={**SETTLED.certificates, ("kserve", "serving-cert"): changed})


def spoil(key: str, value: str | None) -> World:
    secret = SETTLED.secrets[SECRET]
    data = {name: text for name, text in {**secret["data"], key: value}.items() if text is not None}
    return replace(SETTLED, secrets={**SETTLED.secrets, SECRET: {**secret, "data": data}})


@pytest.mark.parametrize(
    ("at", "now", "issued"),
    [
        (SETTLED, NOW, []),
        (SETTLED, NOW + timedelta(days=59, hours=23), []),
        # Both are due on the same day, and the CA comes first: its new certificate makes the leaf due again.
        (SETTLED, NOW + timedelta(days=60), ["ca", "serving-cert"]),
        (replace(SETTLED, secrets={**SETTLED.secrets, SECRET: None}), NOW, ["serving-cert"]),
        (spoil("tls.key", None), NOW, ["serving-cert"]),
        (spoil("ca.crt", None), NOW, ["serving-cert"]),
        (spoil("tls.crt", base64.b64encode(b"no PEM").decode()), NOW, ["serving-cert"]),
        (spoil("tls.crt", "no base64"), NOW, ["serving-cert"]),
        (spoil("tls.key", SETTLED.secrets["kserve", "ca-secret"]["data"]["tls.key"]), NOW, ["serving-cert"]),
        (change(dnsNames=["other.kserve.svc"]), NOW, ["serving-cert"]),
        (change(duration="24h"), NOW, ["serving-cert"]),
        (change(issuerRef={"name": "selfsigned"}), NOW, ["serving-cert"]),
        # What is issued stays the same.
        (change(revisionHistoryLimit=3), NOW, []),
        (change(renewBefore="1h"), NOW + timedelta(days=59), []),
        (change(renewBefore="744h"), NOW + timedelta(days=59, seconds=1), ["serving-cert"]),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_what_is_due(at: World, now, issued: list[str]):
    said, after = step(at, now)
    assert [word.removeprefix("issue ") for word in said if word.startswith("issue")] == issued
    if "ca" not in issued:
        assert [word for word in step(after, now)[0] if word.startswith("issue")] == []


def test_a_renewed_authority_makes_what_it_signed_due():
    later = NOW + timedelta(days=60)
    renewed = settle(SETTLED, later)
    authority = leaf(renewed.secrets["kserve", "ca-secret"])
    assert authority.not_valid_before_utc == later
    leaf(renewed.secrets[SECRET]).verify_directly_issued_by(authority)


@pytest.mark.parametrize(("policy", "same"), [("Never", True), ("Always", False), (None, False)])
def test_a_key_is_used_again_only_where_that_is_asked_for(policy: str | None, same: bool):
    key = {"algorithm": "ECDSA"} | ({"rotationPolicy": policy} if policy else {})
    before = settle(world(certificate(privateKey=key)))
    after = settle(before, NOW + timedelta(days=70))
    keys = [at.secrets[SECRET]["data"]["tls.key"] for at in (before, after)]
    assert (
        leaf(after.secrets[SECRET]).not_valid_before_utc > leaf(before.secrets[SECRET]).not_valid_before_utc
    )
    assert (keys[0] == keys[1]) is same


def test_a_kept_key_of_another_kind_is_replaced():
    kept = certificate(privateKey={"algorithm": "ECDSA", "rotationPolicy": "Never"})
    before = settle(world(kept))
    other = certificate(privateKey={"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Never"})
    after = settle(replace(before, certificates=world(other).certificates))
    assert leaf(after.secrets[SECRET]).public_key().key_size == 384


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (world(certificate(issuerRef={"name": "nobody"})), "Issuer nobody does not exist"),
        (
            world(certificate(issuerRef={"name": "x", "kind": "ClusterIssuer"})),
            "ClusterIssuer x does not exist",
        ),
        (world(certificate(issuerRef={"name": "x", "group": "acme.org"})), "neither an Issuer nor"),
        (world(certificate(**BY_CA), issuers=(CA_ISSUER,)), "ca-secret does not exist"),
        (
            world(certificate(**BY_CA), issuers=(issuer("ca-issuer", {"vault": {}}),)),
            "kind vault: this stand-in knows",
        ),
        (
            world(certificate("ca", isCA=False), certificate(**BY_CA), issuers=(CA_ISSUER,)),
            "its certificate is no CA's",
        ),
        (world(certificate(keystores={"jks": {}})), "keystores: not supported"),
        (world(certificate(duration="5m")), "under an hour"),
        (world(certificate(commonName=None, dnsNames=None)), "one of commonName"),
    ],
)
def test_what_cannot_be_issued_says_why_once(at: World, told: str):
    at = settle(at)
    status, message = ready(at, "serving-cert")
    assert status == "False"
    assert told in message
    assert SECRET not in at.secrets or at.secrets[SECRET] is None


def test_an_ended_authority_signs_nothing():
    alone = {("kserve", "serving-cert"): SETTLED.certificates["kserve", "serving-cert"]}
    ended = replace(SETTLED, certificates=alone)  # nobody renews the CA any more
    at = settle(ended, NOW + timedelta(days=91))
    assert ready(at, "serving-cert") == ("False", "the issuer's own certificate has ended")


def test_two_certificates_that_claim_one_secret_do_not_fight():
    at = settle(world(certificate("a", secretName="one"), certificate("b", secretName="one")))
    assert ready(at, "a")[0] == "True"
    assert ready(at, "b") == ("False", "Secret one is Certificate a's")


def test_readiness_that_does_not_change_keeps_its_time():
    at = settle(world(certificate()))
    first = at.certificates["kserve", "serving-cert"]["status"]["conditions"][-1]["lastTransitionTime"]
    later = settle(at, NOW + timedelta(days=70))
    status = later.certificates["kserve", "serving-cert"]["status"]
    assert status["conditions"][-1]["lastTransitionTime"] == first
    assert status["notBefore"] == "2027-01-30T12:00:00Z"


def test_other_conditions_stay():
    other = {"type": "Issuing", "status": "False"}
    at = world(certificate() | {"status": {"conditions": [other]}})
    assert other in settle(at).certificates["kserve", "serving-cert"]["status"]["conditions"]
