"""Predictions by entity key from Redis: our server, the least that any server could do, and Feast's SDK.

One run, one worker each, the server on the first core, load and Redis on the second (where there are
two). Ours runs with validation, metrics and the prediction log on. Bodies are cycled. Before anything
is measured, our probabilities are compared with those of Feast's SDK for the same keys.
"""

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
CUSTOMERS = 1000
CONNECTIONS = 16
SIZES = (1, 100)
ROUNDS, SECONDS = 3, 5.0
PATH = "/v1/models/churn:predict"
_LUA = """
local bodies = {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
local i = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  i = i % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[i])
end
done = function(summary, latency)
  local e = summary.errors
  io.stderr:write(string.format('{{"requests": %d, "us": %d, "p50": %d, "p99": %d, "failed": %d}}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Running:
    """One server under measurement."""

    url: str
    pid: int


@dataclass(frozen=True)
class Load:
    """What one round of load saw: requests/s, the server's processor time a request in microseconds, and
    latencies in milliseconds, of a closed loop."""

    rate: float
    cpu: float
    p50: float
    p99: float


def main(rounds: int = ROUNDS, seconds: float = SECONDS) -> None:
    """Print requests/s and ratios for 1 and 100 keys a request."""
    if shutil.which("wrk") is None or shutil.which("redis-server") is None:
        raise SystemExit("by_key needs wrk and redis-server: apt-get install wrk redis-server")
    with tempfile.TemporaryDirectory(prefix="serinus-by-key-") as name, contextlib.ExitStack() as processes:
        folder = Path(name)
        redis_url = processes.enter_context(_redis(folder))
        _prepare(folder, redis_url)
        servers = {
            "no-op with one Redis round trip": ["-m", "bench.by_key_peers", "noop", "{port}", redis_url],
            "ours": ["-m", "serinus_server"],
            "FastAPI + Feast SDK": [
                *("-m", "bench.by_key_peers", "feast", "{port}"),
                *(str(folder / "model"), str(folder / "data"), redis_url),
            ],
        }
        running = {
            each: processes.enter_context(_server(command, folder, redis_url))
            for each, command in servers.items()
        }
        _compare(running["ours"].url, running["FastAPI + Feast SDK"].url)
        print(f"{CUSTOMERS} customers, {CONNECTIONS} connections, {rounds} rounds of {seconds:g} s, median")
        print("the no-op has our bounds on headers and time as well; they cost it some 5 % of its HTTP\n")
        print("| server | keys | requests/s | of the no-op | x Feast SDK | CPU us | p50 ms | p99 ms |")
        print("|---|---|---|---|---|---|---|---|")
        for size in SIZES:
            _measure(running, folder, size, rounds, seconds)


def _measure(running: dict[str, Running], folder: Path, size: int, rounds: int, seconds: float) -> None:
    bodies = _bodies(folder, size)
    loads: dict[str, list[Load]] = {name: [] for name in running}
    for server in running.values():
        _load(server, bodies, min(1.0, seconds))
    # Round by round, so that a change of the machine meets all of them.
    for _ in range(rounds):
        for name, server in running.items():
            loads[name].append(_load(server, bodies, seconds))
    median = {name: sorted(each, key=lambda load: load.rate)[len(each) // 2] for name, each in loads.items()}
    limit, peer = (median[name].rate for name in (next(iter(running)), "FastAPI + Feast SDK"))
    for name, load in median.items():
        ratios = f"{load.rate / limit:.2f} | {load.rate / peer:.1f}"
        times = f"{load.p50:.2f} | {load.p99:.2f}"
        print(f"| {name} | {size} | {load.rate:,.0f} | {ratios} | {load.cpu:.0f} | {times} |", flush=True)


def _load(server: Running, bodies: Path, seconds: float) -> Load:
    script = bodies.with_suffix(".lua")
    script.write_text(_LUA.format(bodies=bodies))
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:g}s",
        "--timeout",
        "20s",
        "-s",
        str(script),
        server.url + PATH,
    ]
    before = psutil.Process(server.pid).cpu_times()
    done = subprocess.run(
        [*_on_core(1), *command], capture_output=True, text=True, timeout=seconds + 30, check=True
    )
    after = psutil.Process(server.pid).cpu_times()
    seen = json.loads(done.stderr)
    if seen["failed"]:
        raise SystemExit(f"{server.url}: {seen['failed']} of {seen['requests']} requests failed")
    cpu = (after.user + after.system - before.user - before.system) / seen["requests"] * 1e6
    return Load(seen["requests"] / seen["us"] * 1e6, cpu, seen["p50"] / 1e3, seen["p99"] / 1e3)


def _bodies(folder: Path, size: int) -> Path:
    keys = random.Random(size)
    path = folder / f"bodies-{size}"
    lines = []
    for _ in range(100 if size == 1 else 20):
        instances = [{"customer_id": keys.randint(1, CUSTOMERS)} for _ in range(size)]
        lines.append(json.dumps({"instances": instances}))
    path.write_text("\n".join(lines) + "\n")
    return path


def _compare(ours: str, feasts: str) -> None:
    keys = [{"customer_id": number} for number in range(1, CUSTOMERS + 1, 5)]
    answers = []
    for url in (ours, feasts):
        answer = httpx.post(url + PATH, json={"instances": keys}, timeout=30)
        answer.raise_for_status()
        answers.append(answer.json())
    if answers[0]["predictions"] != answers[1]["predictions"]:
        raise SystemExit("our answers differ from those of Feast's SDK: the figures would compare nothing")
    pairs = zip(answers[0]["probabilities"], answers[1]["probabilities"], strict=True)
    largest = max(abs(a - b) for x, y in pairs for a, b in zip(x, y, strict=True))
    if len({round(row[0], 6) for row in answers[0]["probabilities"]}) < 20 or largest > 1e-6:
        raise SystemExit(f"our probabilities are off by {largest:g}, or all the same")
    print(f"{len(keys)} keys: largest difference to Feast's SDK {largest:.1g}\n")


def _prepare(folder: Path, redis_url: str) -> None:
    """Generate customers, load them into Redis through the verbs, and write a model over their plan."""
    import yaml
    from tests.support.artifacts import build_artifact

    from serinus_contracts.artifact import Input
    from serinus_jobs import generate, ingest, materialize
    from serinus_jobs.feature_store import FeatureStore
    from serinus_jobs.settings import Settings

    data = folder / "data"
    settings = Settings(
        data=data, feature_repo=ROOT / "feature_repo", tracking_uri="", online_store=redis_url
    )
    start = datetime.now(UTC).date() - timedelta(days=2)
    made = generate.run(folder / "raw", customers=CUSTOMERS, days=2, start=start)
    project = ROOT / "manifests" / "models" / "churn"
    ingest.run(project, "customers", str(made.customers), settings)
    materialize.run(settings)
    plan = FeatureStore(settings).plan("churn")
    on_demand = {each.name for each in plan.on_demand}
    inputs = tuple(
        Input(
            each["name"], each["type"], each.get("default", 0), each.get("min"), each.get("max"),
            source="on_demand" if each["name"] in on_demand else "store",
        )
        for each in yaml.safe_load((project / "model.yaml").read_text())["features"]
    )  # fmt: skip
    inputs = tuple(
        each if each.minimum is None or each.default >= each.minimum else _at_least(each) for each in inputs
    )
    build_artifact(folder / "model", inputs=inputs, plan=plan, trees=100)


def _at_least(each):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(each, default=int(each.minimum))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _on_core(core: int) -> list[str]:
    many = (os.cpu_count() or 1) > 1
    return ["taskset", "-c", str(core)] if many and shutil.which("taskset") else []


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    port = _free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _process([*_on_core(1), *command], folder, {}):
        _until(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close())
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def _server(command: list[str], folder: Path, redis_url: str) -> Iterator[Running]:
    port = _free_port()
    environment = {
        "SERINUS_MODEL_DIR": str(folder / "model"),
        "SERINUS_PORT": str(port),
        "SERINUS_ONLINE_STORE": redis_url,
        "SERINUS_LOG_SINK": f"dir:{folder / 'log'}",
        "SERINUS_DRAIN_SECONDS": "0",
        "OMP_NUM_THREADS": "1",
    }
    words = [word.format(port=port) for word in command]
    url = f"http://127.0.0.1:{port}"
    with _process([*_on_core(0), sys.executable, *words], folder, environment) as pid:
        body = {"instances": [{"customer_id": 1}]}
        _until(lambda: httpx.post(url + PATH, json=body, timeout=5).raise_for_status())
        # taskset replaces itself by the server, so the pid is the server's.
        yield Running(url, pid)


@contextlib.contextmanager
def _process(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[int]:
    log = folder / f"process-{len(list(folder.glob('process-*')))}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **environment}, cwd=ROOT
        )
    try:
        yield process.pid
    except BaseException:
        sys.stderr.write(log.read_text(errors="replace")[-2000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until(attempt, seconds: float = 90.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
            return
        except (OSError, httpx.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
