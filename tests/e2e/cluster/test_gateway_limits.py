"""Story: one client too fast, one body too large, one server too slow, and the others notice nothing."""

import time
from collections.abc import Iterator

import httpx
import pytest
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import IN_FORCE_SECONDS, KEY, Team, ask, key_of

pytestmark = pytest.mark.cluster

PER_MINUTE = 20
CLIENTS = ["eager", "calm"]
BODY = 64 << 10


@pytest.fixture
def team(namespace: Namespace) -> Iterator[Team]:
    team = Team(namespace)
    yield team
    team.dismiss()


def test_limits_hold_each_client_by_itself(team: Team):
    # Given a team whose clients may send 20 requests a minute, bodies of 64 KiB, and wait for two seconds
    team.govern(
        auth={"apiKeys": {"clients": CLIENTS, "existingAdminSecret": "serinus-admin-keys"}},
        limits={"requests": PER_MINUTE, "per": "Minute", "body": "64Ki", "requestSeconds": 2},
    )
    host = team.route("echo", echo(team.namespace))
    eager, calm = ({KEY: key_of(team.cluster, team.namespace.name, client)} for client in CLIENTS)

    def limited() -> httpx.Response:
        answer = ask(host, "/", headers=calm, json={})
        if answer.status_code != 200 or answer.headers.get("x-ratelimit-limit") != str(PER_MINUTE):
            raise NotYet(f"HTTP {answer.status_code} {dict(answer.headers)}")
        return answer

    until("the limits are in force", limited, IN_FORCE_SECONDS)
    # When a body has just the size that is taken, then the server gets all of it
    most = ask(host, "/", headers=calm, content=bytes(BODY))
    assert (most.status_code, most.json()["bytes"]) == (200, BODY)
    # And one byte more is refused
    large = ask(host, "/", headers=calm, content=bytes(BODY + 1))
    assert (large.status_code, large.json()) == (413, {"error": "body: larger than 64Ki"})
    # And a server that does not answer in time is given up
    begun = time.monotonic()
    slow = ask(host, "/slow", headers=calm, json={})
    assert (slow.status_code, slow.json()) == (504, {"error": "the model did not answer within 2 s"})
    assert 1.5 < time.monotonic() - begun < 4
    # And a client that sends more than its share is told to wait, and how long
    answers = [ask(host, "/", headers=eager, json={}) for _ in range(PER_MINUTE + 5)]
    codes = [each.status_code for each in answers]
    # The minute may turn once while they are sent: then a second share is given.
    assert codes.count(200) in (PER_MINUTE, PER_MINUTE + 5), codes
    if 429 not in codes:
        answers = [ask(host, "/", headers=eager, json={}) for _ in range(PER_MINUTE)]
        codes = [each.status_code for each in answers]
    refused = answers[codes.index(429)]
    assert refused.headers["retry-after"] == "60"
    assert refused.json() == {"error": f"too many requests: {PER_MINUTE} per minute"}
    # And the other client is still served
    assert ask(host, "/", headers=calm, json={}).status_code == 200
