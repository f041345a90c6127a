"""The real Envoy in front of two echo backends: splits are counted, and changing them loses nothing."""

import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serinus_local.envoy import Envoy
from serinus_local.envoy_config import Backend
from serinus_local.load import Request, read_outcomes, write_traffic
from serinus_local.processes import Child, LocalError, Processes, free_ports
from serinus_operator.adapters.prometheus_text import parse

ROOT = Path(__file__).resolve().parents[2]


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class World:
    """Two echo backends and an Envoy that at first knows one of them."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder, self.processes = folder, processes
        self.ports = free_ports(2)
        self.echoes = [self.echo(port) for port in self.ports]
        self.envoy = Envoy(folder / "envoy", processes)
        self.envoy.start({0: Backend("old", self.ports[0], 100)})

    def echo(self, port: int) -> Child:
        command = [sys.executable, str(ROOT / "tests/support/echo.py"), str(port)]
        child = self.processes.start(f"echo-{port}", command)
        self.processes.wait_ready(child, lambda: accepts(port))
        return child

    def split(self, old: int, new: int) -> None:
        self.envoy.apply({0: Backend("old", self.ports[0], old), 1: Backend("new", self.ports[1], new)})

    def ask(self, count: int) -> Counter[str]:
        with httpx.Client() as client:
            answers = [client.get(self.envoy.url) for _ in range(count)]
        assert {answer.status_code for answer in answers} == {200}
        return Counter(answer.headers["x-serinus-revision"] for answer in answers)

    def completed(self, slot: int) -> int | None:
        counters = parse(self.envoy.exposition())
        return counters.total("envoy_cluster_upstream_rq_completed", envoy_cluster_name=f"slot-{slot}")

    def load(self, rate: int, outcomes: Path) -> Child:
        traffic = self.folder / "traffic.jsonl"
        write_traffic(traffic, [Request("/", b"{}", str(i)) for i in range(5)])
        command = [sys.executable, "-m", "serinus_local.load", "--url", self.envoy.url, "--rate", str(rate)]
        files = ["--traffic", str(traffic), "--outcomes", str(outcomes)]
        return self.processes.start("load", command + files)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Processes(tmp_path / "logs") as processes:
        yield World(tmp_path, processes)


def wait_for(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_every_weight_reaches_traffic_and_every_request_is_counted_once(world: World):
    assert world.ask(20) == {"old": 20}
    seen = Counter({"old": 20})
    for weight in (10, 50, 90):
        world.split(100 - weight, weight)
        answers = world.ask(300)
        seen += answers
        # Five standard deviations of a fair split.
        assert abs(answers["new"] - 3 * weight) < 5 * (3 * weight * (100 - weight) / 100) ** 0.5
        assert (world.completed(0), world.completed(1)) == (seen["old"], seen["new"])
    world.split(0, 100)
    assert world.ask(50) == {"new": 50}


def test_a_slot_that_is_taken_again_counts_from_zero(world: World):
    world.split(50, 50)
    world.ask(40)
    world.envoy.apply({1: Backend("new", world.ports[1], 100)})
    assert world.ask(10) == {"new": 10}
    assert world.completed(0) is None
    world.envoy.apply({0: Backend("newer", world.ports[0], 100), 1: Backend("new", world.ports[1], 0)})
    assert world.ask(7) == {"newer": 7}
    assert world.completed(0) == 7


def test_no_request_is_lost_while_weights_move_and_a_backend_goes(world: World, tmp_path: Path):
    outcomes = tmp_path / "outcomes.csv"
    load = world.load(300, outcomes)

    def answered(revision: str) -> int:
        return sum(each.revision == revision for each in read_outcomes(outcomes)) if outcomes.exists() else 0

    wait_for(lambda: answered("old") > 100)
    for weight in (10, 50, 90, 100):
        world.split(100 - weight, weight)
        before = answered("new")
        wait_for(lambda before=before: answered("new") > before + 20)
    wait_for(lambda: world.envoy.active(0) == 0)
    world.envoy.apply({1: Backend("new", world.ports[1], 100)})
    world.processes.stop(world.echoes[0])
    before = answered("new")
    wait_for(lambda: answered("new") > before + 100)
    assert world.processes.stop(load) == 0
    results = list(read_outcomes(outcomes))
    assert [each for each in results if each.failed] == []
    assert len({each.prediction_id for each in results}) == len(results) > 300
    assert f"sent {len(results)} requests" in load.log.read_text()


def test_a_refused_configuration_is_an_error_and_the_split_in_force_stays(world: World):
    with pytest.raises(LocalError, match="refused"):
        world.envoy.apply({0: Backend("a\nb", world.ports[0], 100)})
    assert world.ask(5) == {"old": 5}
