"""Real servers on a real store that Feast loaded: the same answers, and none lost when the store goes."""

import asyncio
import json
import re
import signal
import time
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import redis
from tests.support.bad_requests import V1
from tests.support.keyed_server import LoadedStore, loaded_store
from tests.support.open_loop import OpenLoop, Reply
from tests.support.redis_process import RedisProcess
from tests.support.server_process import ServerProcess, running

from serinus_contracts import metrics
from serinus_operator.adapters.prometheus_text import parse

BUDGET_MS = 20
RATE = 120.0
BUFFER = 60
ENDED = re.compile(r"ended model=churn revision=(\w+) rows=(\d+) logged=(\d+) dropped=(\d+)")


def ask(server: ServerProcess, instances: list[dict[str, Any]]) -> dict[str, Any]:
    answer = httpx.post(server.base + V1, json={"instances": instances}, timeout=10)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.redis
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_an_answer_by_key_is_the_answer_to_the_row_that_feast_gives(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    own = request.getfixturevalue("own_redis") if kind == "redis" else None
    url = f"sqlite://{tmp_path}/online.db" if own is None else own.url
    store = loaded_store(tmp_path, url)
    store.artifact(tmp_path / "model", seed=1)
    customers = [*range(1, store.customers + 1), 10**9]
    rows = store.answer(customers)
    assert any(value is None for value in rows[6].values()), "some values are null"
    with running(tmp_path / "model", tmp_path / "log", online_store=url, feature_budget_ms=5000) as server:
        by_key = ask(server, [{"customer_id": each} for each in customers])
        # All values, the computed ones too, as Feast's SDK returns them.
        whole = ask(server, rows)
    assert by_key["predictions"] == whole["predictions"]
    assert by_key["probabilities"] == whole["probabilities"]
    assert len({tuple(each) for each in whole["probabilities"]}) > 10, "rows differ, and so do their answers"
    marks = {mark.pop("row"): mark for mark in by_key["marks"]}
    assert {i: mark["defaulted"] for i, mark in marks.items()} == {
        mark["row"]: mark["defaulted"] for mark in whole["marks"]
    }
    assert [i for i, mark in marks.items() if mark.get("found") is False] == [len(customers) - 1]
    assert not any(mark.get("degraded") or mark.get("stale") for mark in marks.values())


class Scene:
    """Two revisions on one store, each a process, under one open-loop client."""

    def __init__(self, folder: Path, store: LoadedStore, stack: ExitStack, url: str, **settings: Any) -> None:
        self.store = store
        self.revisions = [store.artifact(folder / name, i).revision for i, name in enumerate("ab")]
        assert len(set(self.revisions)) == 2
        settings = {"online_store": url, "feature_budget_ms": BUDGET_MS, **settings}
        self.servers = [
            stack.enter_context(running(folder / name, folder / f"{name}.log", **settings)) for name in "ab"
        ]
        self.customers = range(1, store.customers + 1)
        keys = [{"customer_id": each} for each in self.customers]
        self.healthy = [ask(server, keys)["probabilities"] for server in self.servers]
        nulls = dict.fromkeys(each.name for each in store.inputs)
        self.defaults = [ask(server, [nulls])["probabilities"][0] for server in self.servers]
        self.load = OpenLoop([server.base + V1 for server in self.servers], store.customers, RATE)

    def check(self, loading: tuple[float, float] = (0.0, 0.0)) -> None:
        """No request failed, and each says what it is: from the store, or of marked defaults.

        While the store is `loading`, from and to, it rightly knows some views of some customers only.
        """
        statuses = Counter(reply.status for reply in self.load.replies)
        assert set(statuses) == {200}, statuses
        names = [each.name for each in self.store.inputs]
        for reply in self.load.replies:
            if reply.degraded:
                (mark,) = reply.body["marks"]
                assert mark["defaulted"] == names
                expected = self.defaults[reply.server]
            elif reply.due <= loading[1] and loading[0] <= reply.due + reply.seconds:
                continue
            else:
                assert not reply.unknown
                expected = self.healthy[reply.server][reply.customer - 1]
            # A batch and a single row differ in the last bits of a float32.
            assert reply.body["probabilities"][0] == pytest.approx(expected, abs=1e-6)

    def check_metrics(self) -> None:
        """The servers' counters are what the client saw; asked before they end."""
        single = Counter((reply.server, reply.degraded) for reply in self.load.replies)
        for i, server in enumerate(self.servers):
            counters = parse(httpx.get(f"{server.base}/metrics", timeout=10).text)
            requests = {
                code: counters.total(metrics.REQUESTS, revision=self.revisions[i], code=code)
                for code in ("200", "404", "422", "500", "503")
            }
            # Beside the load: the two requests that `healthy` and `defaults` came from.
            sent = single[i, False] + single[i, True] + 2
            assert requests == {"200": sent, "404": 0, "422": 0, "500": 0, "503": 0}
            assert counters.total(metrics.DEGRADED, revision=self.revisions[i]) == single[i, True]

    def end(self) -> dict[str, tuple[int, int, int]]:
        """End both by SIGTERM; return each revision's (rows, logged, dropped) as it said at its end."""
        accounts = {}
        for server in self.servers:
            code, said = server.stop()
            assert code == 0, said
            found = ENDED.search(said)
            assert found, said
            accounts[found[1]] = (int(found[2]), int(found[3]), int(found[4]))
        return accounts

    def rows_of(self, i: int) -> int:
        return self.store.customers + 1 + sum(reply.server == i for reply in self.load.replies)


def report(title: str, replies: list[Reply], moments: list[float]) -> None:
    """Print the latency of each phase between the moments: figures, no verdict. No answer took seconds."""
    edges = [0.0, *moments, float("inf")]
    for phase, (start, end) in enumerate(pairwise(edges)):
        part = [reply for reply in replies if start <= reply.due < end]
        p50, p99 = np.quantile([reply.seconds * 1000 for reply in part], [0.5, 0.99])
        degraded = sum(reply.degraded for reply in part)
        print(
            f"{title}, phase {phase}: {len(part)} requests at {RATE:.0f}/s, {degraded} degraded, "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (store's budget {BUDGET_MS} ms)"
        )
    assert max(reply.seconds for reply in replies) < 5.0


@pytest.mark.redis
def test_a_killed_redis_is_no_error_and_every_row_is_accounted_for(
    own_redis: RedisProcess, tmp_path: Path
) -> None:
    store = loaded_store(tmp_path, own_redis.url)

    async def story(load: OpenLoop) -> list[float]:
        loading = asyncio.create_task(load.run(60))
        await load.until(200, degraded=False, since=0.0)
        killed = time.monotonic()
        await asyncio.to_thread(own_redis.kill)
        await load.until(200, degraded=True, since=killed)
        # It comes back empty, and is loaded again.
        restarted = time.monotonic()
        await asyncio.to_thread(own_redis.start)
        await asyncio.to_thread(store.load)
        reloaded = time.monotonic()
        await load.until(200, degraded=False, since=reloaded)
        load.stop()
        await loading
        return [killed, restarted, reloaded]

    with ExitStack() as stack:
        scene = Scene(tmp_path, store, stack, own_redis.url, log_sink=f"dir:{tmp_path}/rows")
        killed, restarted, reloaded = asyncio.run(story(scene.load))
        scene.check_metrics()
        accounts = scene.end()
    scene.check(loading=(restarted, reloaded))
    report("killed", scene.load.replies, [killed, restarted, reloaded])
    lines = [line for path in (tmp_path / "rows").iterdir() for line in path.read_bytes().splitlines()]
    records = [json.loads(line) for line in lines]
    logged = Counter(record["revision"] for record in records)
    degraded = Counter(record["revision"] for record in records if record["degraded"])
    for i, revision in enumerate(scene.revisions):
        rows = scene.rows_of(i)
        assert accounts[revision] == (rows, rows, 0)
        assert logged[revision] == rows
        assert degraded[revision] == sum(r.degraded for r in scene.load.replies if r.server == i) > 0


@pytest.mark.redis
def test_a_hung_redis_is_no_error_even_where_the_log_hangs_with_it(
    own_redis: RedisProcess, tmp_path: Path
) -> None:
    store = loaded_store(tmp_path, own_redis.url)

    async def story(load: OpenLoop) -> list[float]:
        loading = asyncio.create_task(load.run(60))
        await load.until(200, degraded=False, since=0.0)
        stopped = time.monotonic()
        own_redis.signal(signal.SIGSTOP)
        # Longer than the log's buffer lasts, shorter than a write may take.
        await load.until(300, degraded=True, since=stopped)
        continued = time.monotonic()
        own_redis.signal(signal.SIGCONT)
        await load.until(200, degraded=False, since=continued)
        load.stop()
        await loading
        return [stopped, continued]

    sink = own_redis.url.removesuffix("/0") + "/1?stream=rows"
    with ExitStack() as stack:
        scene = Scene(tmp_path, store, stack, own_redis.url, log_sink=sink, log_buffer=BUFFER)
        moments = asyncio.run(story(scene.load))
        scene.check_metrics()
        accounts = scene.end()
    scene.check()
    report("hung", scene.load.replies, moments)
    with redis.Redis.from_url(own_redis.url.removesuffix("/0") + "/1") as client:
        logged = Counter(json.loads(fields[b"r"])["revision"] for _, fields in client.xrange("rows"))
    for i, revision in enumerate(scene.revisions):
        rows, taken, dropped = accounts[revision]
        assert rows == scene.rows_of(i) == taken + dropped
        assert logged[revision] == taken
        assert dropped > 0
