"""Story: a team takes tokens of an issuer instead of keys."""

import time
from collections.abc import Iterator

import jwt
import pytest
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_authority import Authority
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import CLIENT, IN_FORCE_SECONDS, Team, answers, ask
from tests.support.cluster_issuer import AUDIENCE, HOUR, ISSUER, Issuer, KeyServer

pytestmark = pytest.mark.cluster

CACHE_SECONDS = 2


@pytest.fixture
def team(namespace: Namespace) -> Iterator[Team]:
    team = Team(namespace)
    yield team
    team.dismiss()


def status(host: str, token: str | None) -> tuple[int, dict[str, str]]:
    """Return the gateway's status and the headers that the server saw."""
    answer = ask(host, "/", headers={"authorization": f"Bearer {token}"} if token else {}, json={})
    seen = answer.json()["headers"] if answer.status_code == 200 else {}
    return answer.status_code, {name.lower(): value for name, value in seen.items()}


def test_tokens_that_name_the_namespace_open_its_models(team: Team):
    # Given a team that takes the tokens of one issuer, and a server behind its route
    issuer, stranger = Issuer(), Issuer()
    tokens = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": issuer.keys()}
    team.govern(auth={"type": "jwt", "jwt": tokens})
    host = team.route("echo", echo(team.namespace))
    mine = team.namespace.name
    good = issuer.token(namespaces=["another", mine])

    def passes() -> dict[str, str]:
        code, seen = status(host, good)
        if code != 200:
            raise NotYet(f"HTTP {code}")
        return seen

    # When a client comes with a token that names the namespace, then the server answers and learns who asks
    assert until("a good token passes", passes, IN_FORCE_SECONDS)[CLIENT] == "shop"
    # And a token for every namespace passes
    assert status(host, issuer.token(namespaces=["*"]))[0] == 200
    # And every other is refused: as no proof at all, or as a proof of the wrong thing
    refused = {
        "none": (None, 401),
        "no token": ("wrong", 401),
        "expired": (issuer.token(namespaces=[mine], exp=int(time.time()) - HOUR), 401),
        "not valid yet": (issuer.token(namespaces=[mine], nbf=int(time.time()) + HOUR), 401),
        "another issuer": (issuer.token(namespaces=[mine], iss="https://else.example.com"), 401),
        "another's signature": (stranger.token(namespaces=[mine]), 401),
        "for another audience": (issuer.token(namespaces=[mine], aud="shop"), 403),
        "unsigned": (jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "namespaces": [mine]}, None, "none"), 401),
        "another team's": (issuer.token(namespaces=["serinus-models"]), 403),
        "of no team": (issuer.token(), 403),
    }
    assert {why: status(host, token)[0] for why, (token, _) in refused.items()} == {
        why: code for why, (_, code) in refused.items()
    }
    # And each is told why, in the servers' own form
    for why, words in (
        ("expired", "Jwt_is_expired"),
        ("of no team", "no token whose claim namespaces names"),
    ):
        told = ask(host, "/", headers={"authorization": f"Bearer {refused[why][0]}"}, json={})
        assert words in told.json()["error"]
    # And the server saw nothing but what passed
    assert status(host, good)[0] == 200
    # And a client that its token does not name has no name, whatever it says, and is limited all the same
    bearer = {"authorization": f"Bearer {issuer.token(namespaces=[mine], sub=None)}", CLIENT: "admin"}
    nameless = ask(host, "/", headers=bearer, json={})
    assert nameless.status_code == 200
    assert CLIENT not in {name.lower() for name in nameless.json()["headers"]}
    assert nameless.headers["x-ratelimit-limit"] == "1000"


def test_keys_are_read_from_the_issuer_and_nothing_opens_while_they_are_not(team: Team, neighbour: Namespace):
    # Given an issuer in the cluster, of whose certificate another authority is said to be the signer
    issuer, next_issuer = Issuer(), Issuer()
    server = KeyServer(neighbour)
    server.start(issuer)
    server.trust(Authority(neighbour, "other").certificate("other-tls", KeyServer.host)["ca.crt"])
    place = {"name": "login", "namespace": neighbour.name, "ca": {"existingConfigMap": "login-ca"}}
    tokens = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "jwksUri": f"https://{KeyServer.host}/keys",
        "jwksFrom": place,
    }
    team.govern(auth={"type": "jwt", "jwt": {**tokens, "jwksCacheSeconds": CACHE_SECONDS}})
    host = team.route("echo", echo(team.namespace))
    good, newer = (
        {"authorization": f"Bearer {each.token(namespaces=[team.namespace.name])}"}
        for each in (issuer, next_issuer)
    )
    # When a client comes with a good token, then it is refused: nobody can say whose it is
    server.heard("UNKNOWN_CA")
    answers(host, 401, "no valid token", headers=good)
    # When the right authority is named, then the token opens the model
    server.trust(server.authority)
    answers(host, 200, headers=good)
    assert ask(host, "/", headers=newer, json={}).status_code == 401
    # When the issuer has no pod at all, then its Service leads nowhere, and everything is closed
    server.stop()
    answers(host, 403, "no token whose claim", headers=good)
    # When it is back with another key, then that one counts, and the old one no more
    server.start(next_issuer)
    answers(host, 200, headers=newer)
    answers(host, 401, "no valid token", headers=good)
