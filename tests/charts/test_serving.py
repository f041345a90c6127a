"""The way in: open to nobody by mistake, and a cluster keeps what it has."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import charts

from serinus_airgap import versions

TEAMS = {"global": {"models": {"namespaces": ["team-a", "team-b"]}}}
TOKENS = {
    "type": "jwt",
    "jwt": {"issuer": "https://tokens.example.com", "jwksUri": "https://tokens.example.com/keys"},
}
OWN_GATEWAY = {"create": False, "existing": {"name": "public", "namespace": "gateways"}}


def of(helm: Path, kind: str, **values: Any) -> dict[str, dict[str, Any]]:
    """Return the chart's objects of one kind by namespace and name."""
    found = charts.objects(charts.template(helm, "serving", {**TEAMS, **values}))
    return {
        f"{each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each["spec"]
        for each in found
        if each["kind"] == kind
    }


def decoded(secret: charts.Object) -> dict[str, str]:
    """Return what a Secret holds."""
    return {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}


def test_every_listener_asks_for_a_key(helm: Path):
    for mode, expected in (("redirect", ["https"]), ("serve", ["http", "https"]), ("off", ["https"])):
        gateway = {"http": {"mode": mode}}
        (spec,) = of(helm, "Gateway", gateway=gateway).values()
        serving = [
            each["name"] for each in spec["listeners"] if each["allowedRoutes"]["namespaces"]["from"] == "All"
        ]
        assert sorted(serving) == expected
        (target,) = of(helm, "SecurityPolicy", gateway=gateway)["serinus-system/serinus-gateway"][
            "targetRefs"
        ]
        assert (target["kind"], target["name"]) == ("Gateway", "serinus")
        assert "sectionName" not in target


def test_clear_text_is_redirected_where_nobody_asks_for_it(helm: Path):
    (route,) = of(helm, "HTTPRoute").values()
    (parent,) = route["parentRefs"]
    assert parent["sectionName"] == "http"
    (rule,) = route["rules"]
    # A code by which a client sends the body of its POST again.
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "port": 443, "statusCode": 308}
    policy = of(helm, "SecurityPolicy")["serinus-system/serinus-redirect"]
    assert [(each["kind"], each["name"]) for each in policy["targetRefs"]] == [
        ("HTTPRoute", "serinus-redirect")
    ]
    assert policy["authorization"] == {"defaultAction": "Allow"}
    assert of(helm, "HTTPRoute", gateway={"http": {"mode": "serve"}}) == {}
    assert "serinus-system/serinus-redirect" not in of(
        helm, "SecurityPolicy", gateway={"http": {"mode": "off"}}
    )


def test_nobody_is_asked_only_where_the_values_say_so(helm: Path):
    assert of(helm, "SecurityPolicy", auth={"type": "none"}) == {}
    # What a client says of itself is taken off all the same.
    (policy,) = of(helm, "ClientTrafficPolicy", auth={"type": "none"}).values()
    assert policy["headers"]["earlyRequestHeaders"] == {"remove": ["x-serinus-client"]}


def test_a_team_is_opened_by_its_own_keys_and_the_administrators(helm: Path):
    policies = of(helm, "SecurityPolicy")
    for team in ("team-a", "team-b"):
        held = policies[f"{team}/serinus-models"]["apiKeyAuth"]["credentialRefs"]
        assert [(each.get("namespace", team), each["name"]) for each in held] == [
            ("serinus-system", "serinus-admin-keys"),
            (team, "serinus-api-keys"),
        ]
    held = policies["serinus-system/serinus-gateway"]["apiKeyAuth"]["credentialRefs"]
    assert [each["name"] for each in held] == ["serinus-admin-keys"]


def test_a_token_opens_the_namespaces_that_it_names(helm: Path):
    policies = of(helm, "SecurityPolicy", auth=TOKENS)
    for name, expected in (
        ("team-a/serinus-models", ["*", "team-a"]),
        ("serinus-system/serinus-gateway", ["*"]),
    ):
        rules = policies[name]["authorization"]
        assert rules["defaultAction"] == "Deny"
        (claim,) = rules["rules"][0]["principal"]["jwt"]["claims"]
        assert (claim["name"], claim["values"]) == ("namespaces", expected)


def test_an_issuers_keys_are_read_where_jwksFrom_says(helm: Path):
    place = {"name": "login", "namespace": "auth", "port": 8443, "ca": {"existingConfigMap": "login-ca"}}
    auth = {"type": "jwt", "jwt": {**TOKENS["jwt"], "jwksFrom": place, "jwksCacheSeconds": 60}}
    for policy in of(helm, "SecurityPolicy", auth=auth, gateway={"http": {"mode": "off"}}).values():
        remote = policy["jwt"]["providers"][0]["remoteJWKS"]
        assert (remote["uri"], remote["cacheDuration"]) == ("https://tokens.example.com/keys", "60s")
        service = {"group": "", "kind": "Service", "name": "login", "namespace": "auth", "port": 8443}
        assert remote["backendRefs"] == [service]
    grant = of(helm, "ReferenceGrant", auth=auth)["auth/serinus-jwks"]
    assert [each["namespace"] for each in grant["from"]] == ["serinus-system", "team-a", "team-b"]
    assert grant["to"] == [{"group": "", "kind": "Service", "name": "login"}]
    tls = of(helm, "BackendTLSPolicy", auth=auth)["auth/serinus-jwks"]
    assert tls["targetRefs"] == [{"group": "", "kind": "Service", "name": "login"}]
    assert tls["validation"]["hostname"] == "tokens.example.com"
    assert tls["validation"]["caCertificateRefs"] == [{"group": "", "kind": "ConfigMap", "name": "login-ca"}]
    # A Backend says itself whom it trusts, and an address on the internet needs neither.
    backend = {"kind": "Backend", "name": "login", "namespace": "auth"}
    auth = {"type": "jwt", "jwt": {**TOKENS["jwt"], "jwksFrom": backend}}
    assert of(helm, "BackendTLSPolicy", auth=auth) == {}
    (to,) = of(helm, "ReferenceGrant", auth=auth)["auth/serinus-jwks"]["to"]
    assert (to["group"], to["kind"]) == ("gateway.envoyproxy.io", "Backend")
    assert of(helm, "ReferenceGrant", auth=TOKENS) == {}


def test_a_cluster_keeps_its_own_gateway(helm: Path):
    found = charts.objects(charts.template(helm, "serving", {**TEAMS, "gateway": OWN_GATEWAY}))
    kinds = {each["kind"] for each in found}
    assert not kinds & {
        "Gateway",
        "GatewayClass",
        "EnvoyProxy",
        "ClientTrafficPolicy",
        "Certificate",
        "Issuer",
    }
    for kind in ("SecurityPolicy", "BackendTrafficPolicy"):
        policies = [each for each in found if each["kind"] == kind]
        assert sorted(each["metadata"]["namespace"] for each in policies) == ["team-a", "team-b"]
        for each in policies:
            (selector,) = each["spec"]["targetSelectors"]
            assert selector["matchLabels"] == {"serinus.dev/route": "true"}
    (sources,) = {
        yaml.safe_dump(each["spec"]["ingress"][0]["from"][0]["podSelector"])
        for each in found
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "serinus-models"
    }
    assert "owning-gateway-name: public" in sources


def test_a_team_may_have_limits_of_its_own(helm: Path):
    policies = of(
        helm, "BackendTrafficPolicy", limits={"byNamespace": {"team-a": {"requests": 7, "per": "Hour"}}}
    )
    assert sorted(policies) == ["serinus-system/serinus-gateway", "team-a/serinus-models"]
    own = policies["team-a/serinus-models"]
    assert own["rateLimit"]["local"]["rules"][0]["limit"] == {"requests": 7, "unit": "Hour"}
    assert own["requestBuffer"] == {"limit": "1Mi"}
    (answer,) = [each for each in own["responseOverride"] if each["match"]["statusCodes"][0]["value"] == 429]
    assert answer["response"]["header"]["set"] == [{"name": "retry-after", "value": "3600"}]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gateway": {"create": False}}, "gateway.existing.name"),
        ({"gateway": {"https": {"enabled": False}}}, "no way in"),
        ({"global": {"models": {"namespaces": ["serinus-system"]}}}, "in clear text on port 80"),
        ({"auth": {"type": "jwt", "jwt": {"issuer": "https://a"}}}, "auth.jwt.jwksUri or auth.jwt.jwks"),
        ({"auth": {"type": "jwt", "jwt": {"jwks": "{}"}}}, "auth.jwt.issuer"),
        ({"auth": {"type": "jwt", "jwt": {**TOKENS["jwt"], "jwks": "{}"}}}, "read from one place"),
        (
            {"auth": {"type": "jwt", "jwt": {**TOKENS["jwt"], "jwksFrom": {"name": "a"}}}},
            "both name and namespace",
        ),
        (
            {"auth": {"type": "jwt", "jwt": {**TOKENS["jwt"], "jwksFrom": {"ca": {"existingSecret": "a"}}}}},
            "for a Service",
        ),
        (
            {
                "auth": {
                    "type": "jwt",
                    "jwt": {"issuer": "a", "jwks": "{}", "jwksFrom": {"name": "a", "namespace": "b"}},
                }
            },
            "needs auth.jwt.jwksUri",
        ),
        ({"auth": {"type": "basic"}}, "/auth/type"),
        ({"limits": {"per": "second"}}, "/limits/per"),
        ({"limits": {"byNamespace": {"a": {"request": 1}}}}, "'request' not allowed"),
    ],
)
def test_values_that_leave_no_way_in_or_open_one_are_refused(helm: Path, values: dict[str, Any], words: str):
    with pytest.raises(charts.Refused, match=words):
        charts.template(helm, "serving", values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"serving": {"gateway": OWN_GATEWAY}},
            "to Gateway serinus-system/serinus, and gateways/public is the one",
        ),
        (
            {"operator": {"gateway": {"name": "public"}}},
            "to Gateway serinus-system/public, and serinus-system/serinus",
        ),
    ],
)
def test_routes_go_to_the_gateway_that_is_guarded(helm: Path, values: dict[str, Any], words: str):
    with pytest.raises(charts.Refused, match=words):
        charts.template(helm, "platform", values)
    assert charts.template(helm, "platform", {**values, "parts": {"operator": False}})


def test_the_proxies_image_is_the_pinned_one(helm: Path):
    (spec,) = of(helm, "EnvoyProxy").values()
    deployment = spec["provider"]["kubernetes"]["envoyDeployment"]
    assert deployment["container"]["image"].endswith(f":{versions.load()['ENVOY']}")
    assert "envoyPDB" not in spec["provider"]["kubernetes"]
    (spec,) = of(helm, "EnvoyProxy", envoy={"replicas": 2}).values()
    assert spec["provider"]["kubernetes"]["envoyPDB"] == {"minAvailable": 1}


def test_writers_of_the_log_add_to_their_own_streams_alone(helm: Path):
    found = charts.objects(charts.template(helm, "serving", TEAMS))
    secrets = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each
        for each in found
        if each["kind"] == "Secret"
    }
    (users,) = {
        decoded(each)["users.acl"] for each in secrets.values() if "users.acl" in each.get("data", {})
    }
    rights = {line.split()[1]: line.split()[3:] for line in users.splitlines() if line.startswith("user ")}
    assert rights["default"] == []
    for team in ("team-a", "team-b"):
        sink = decoded(secrets[team, "serinus-prediction-log"])["SERINUS_LOG_SINK"]
        assert f"redis://writer-{team}:" in sink
        assert f"stream=predictions.{team}.{{model}}" in sink
        assert {"-@all", f"~predictions.{team}.*", "+xadd", "+xtrim"} <= set(rights[f"writer-{team}"])
        assert not {"+xrange", "+xreadgroup", "+xdel"} & set(rights[f"writer-{team}"])
        assert "+xadd" not in rights[f"reader-{team}"]
