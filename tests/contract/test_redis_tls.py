"""Redis with TLS, a private CA and users: servers read what Feast wrote; a stranger gets no password."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.support import churn_store
from tests.support.authority import pair
from tests.support.churn_store import DAY, NOON
from tests.support.redis_process import RedisProcess
from tests.support.typed_store import build, key_of, read

from serinus_contracts.plan import JoinKey, OnlinePlan, PlanFeature, PlanView
from serinus_jobs.errors import JobError
from serinus_jobs.feature_store import FeatureStore
from serinus_jobs.log_source import open_source
from serinus_jobs.settings import Settings
from serinus_server.doors import StoreUnavailable
from serinus_server.log import make_sink
from serinus_server.online import make_store

PASSWORD = "p%40ss"  # in an address, for p@ss
VIEW = PlanView("v", 0, (PlanFeature("a", "INT64", "0a0b0c0d"),), "_ts:v", "p_v")
PLAN = OnlinePlan("p", "s", (JoinKey("customer", "INT64"),), (VIEW,))


@dataclass(frozen=True)
class Secured:
    """A Redis that speaks TLS alone, with the file of its CA and the file of another."""

    port: int
    authority: Path
    stranger: Path

    def url(self, authority: Path | None = None, host: str = "localhost", query: str = "") -> str:
        named = f"?ssl_ca_certs={authority or self.authority}"
        return f"rediss://team:{PASSWORD}@{host}:{self.port}/0{named}{query}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Secured]:
    """`redis_url` decides what happens where no Redis is installed."""
    folder = tmp_path_factory.mktemp("tls")
    own, stranger = pair(folder / "own", "localhost"), pair(folder / "stranger", "localhost")
    settings = ["--tls-cert-file", str(own / "tls.crt"), "--tls-key-file", str(own / "tls.key")]
    settings += ["--tls-ca-cert-file", str(own / "ca.crt"), "--tls-auth-clients", "no"]
    settings += ["--user", "default", "off", "--user", "team", "on", ">p@ss", "~*", "+@all"]
    settings += ["--user", "reader", "on", ">p@ss", "~*", "+@read", "+@connection"]
    server = RedisProcess(folder, *settings, tls=True)
    server.start()
    yield Secured(server.port, own / "ca.crt", stranger / "ca.crt")
    server.kill()


def test_servers_read_what_feast_wrote(secured: Secured, tmp_path: Path) -> None:
    stored = build(tmp_path, secured.url())
    (row,) = read(stored, [1])
    (expected,) = stored.answer([key_of(1)])
    assert row.found
    assert row.values["int64"] == expected["int64"] == 1


def test_predictions_are_logged_and_collected(secured: Secured) -> None:
    async def run() -> None:
        sink = make_sink(secured.url(query="&stream=log"))
        await sink.write([json.dumps({"n": each}).encode() for each in range(3)])
        await sink.close()

    asyncio.run(run())
    source = open_source(secured.url(query="&stream=log"))
    (batch,) = list(source.batches())
    assert [json.loads(line)["n"] for line in batch.lines] == [0, 1, 2]
    source.acknowledge(batch)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda at: at.url(at.stranger), "unable to get local issuer certificate|self.signed certificate"),
        (lambda at: at.url(host="127.0.0.1"), "IP address mismatch"),
    ],
    ids=["another CA", "another name"],
)
def test_who_is_not_vouched_for_gets_no_password(
    secured: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Any, said: str
) -> None:
    url = change(secured)

    async def ask() -> None:
        store = make_store(url, PLAN, 1.0)
        with pytest.raises(StoreUnavailable):
            await store.read([{"customer": 1}])
        await store.close()

    # A server answers with defaults, and says why
    with caplog.at_level(logging.WARNING):
        asyncio.run(ask())
    (line,) = [each for each in caplog.messages if "certificate is refused" in each]
    assert "rediss://" in line
    assert "ssl_ca_certs" in line
    # A Job ends with one line that names the cure, and may be tried again
    with pytest.raises(JobError, match=f"(?s)({said}).*ssl_ca_certs in the address") as refused:
        list(open_source(f"{url}&stream=log").batches())
    assert refused.value.exit_code == 1
    assert "p@ss" not in str(refused.value)
    settings = churn_store.settings(tmp_path / "data", url)
    churn_store.write(settings, [churn_store.row(1, NOON)])
    store = FeatureStore(settings)
    store.apply()
    with pytest.raises(JobError, match=f"(?s)SERINUS_ONLINE_STORE: .*({said}).*ssl_ca_certs in the address"):
        store.materialize(NOON - DAY, NOON)


@pytest.mark.parametrize(
    ("user", "room", "said"),
    [
        ("team:wrong", 0, "another user or password than the address"),
        ("reader:p%40ss", 0, "may not do this"),
        ("team:p%40ss", 1, "raise its maxmemory"),
    ],
    ids=["password", "reader", "full"],
)
def test_what_redis_refuses_is_one_line_with_a_cure(
    secured: Secured, tmp_path: Path, user: str, room: int, said: str
) -> None:
    redis.Redis.from_url(secured.url()).config_set("maxmemory", room)
    url = secured.url().replace(f"team:{PASSWORD}", user)
    settings = churn_store.settings(tmp_path / "data", url)
    churn_store.write(settings, [churn_store.row(1, NOON)])
    store = FeatureStore(settings)
    store.apply()
    with pytest.raises(JobError, match=f"SERINUS_ONLINE_STORE: .*{said}") as refused:
        store.materialize(NOON - DAY, NOON)
    assert len(str(refused.value).splitlines()) == 1
    # Another pod gets what the Secret says by then.
    assert refused.value.exit_code == 1


def test_a_file_of_authorities_that_is_not_there_is_named(secured: Secured, tmp_path: Path) -> None:
    url = secured.url(tmp_path / "ca.crt")
    with pytest.raises(ValueError, match=r"ca\.crt: no certificates can be read there .*No such file"):
        make_store(url, PLAN, 1.0)
    with pytest.raises(JobError, match=r"ca\.crt: there is no such file"):
        open_source(url)
    with pytest.raises(JobError, match=r"SERINUS_ONLINE_STORE: .*ca\.crt: there is no such file"):
        FeatureStore(Settings(tmp_path, Path("feature_repo"), "", online_store=url))
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(ValueError, match=r"ca\.crt: no certificates can be read there"):
        make_store(url, PLAN, 1.0)
