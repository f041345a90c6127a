"""The request path against its limits and its peer, side by side in one run.

Three servers, one worker each on core 0, the load generator on core 1: ours (validation, metrics and a
prediction log to a directory on), a no-op ASGI application on the same uvicorn settings, and KServe's
SDK serving the same forest as its sklearn server does. Rounds are interleaved, so that a neighbour's
noise falls on all; the middle round of each is shown.

Closed loop: wrk with 16 connections. Open loop: requests sent by the clock whether or not answers
came (bench.open_loop), so that a pause shows in every request that had to wait for it.
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.server_model import rows, write_model

SECONDS = float(os.environ.get("SERINUS_BENCH_SECONDS", "5"))
ROUNDS = 3
PORT = 18_700
OPEN_RATE = 1000
SERVERS = ("echo", "ours", "kserve")
# KServe's SDK with this forest does not reach the rate.
OPEN_LOOP_SERVERS = ("echo", "ours")


def main() -> None:
    """Run everything and print two tables."""
    if shutil.which("wrk") is None:
        raise SystemExit("bench.server needs wrk as load generator: apt-get install wrk")
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("bench.server needs two cores, one for the server and one for the client")
    # An end from outside must not leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        write_model(model)
        rates: dict[tuple[str, int], list[dict[str, float]]] = {}
        starts: dict[str, list[tuple[float, float]]] = {name: [] for name in SERVERS}
        open_loops: dict[str, list[dict[str, float]]] = {name: [] for name in OPEN_LOOP_SERVERS}
        for i in range(ROUNDS):
            for name in SERVERS:
                with running(name, Path(folder)) as (process, seconds):
                    for batch in (1, 100):
                        rates.setdefault((name, batch), []).append(closed_loop(Path(folder), batch))
                    starts[name].append((seconds, pss_megabytes(process.pid)))
                    if name in open_loops:
                        open_loops[name].append(open_loop())
                if sys.stderr.isatty():
                    print(
                        f"round {i + 1} of {ROUNDS}: {name} {rates[name, 1][-1]['rate']:,.0f}/s",
                        file=sys.stderr,
                    )
    print("| server | batch | requests/s (spread) | p50 ms | p99 ms | of echo | x KServe SDK |")
    print("|---|---|---|---|---|---|---|")
    for batch in (1, 100):
        middle = {name: statistics.median(r["rate"] for r in rates[name, batch]) for name in SERVERS}
        for name in SERVERS:
            found = rates[name, batch]
            spread = (max(r["rate"] for r in found) - min(r["rate"] for r in found)) / 2 / middle[name]
            p50, p99 = (statistics.median(r[key] for r in found) for key in ("p50", "p99"))
            print(
                f"| {name} | {batch} | {middle[name]:,.0f} (±{spread:.0%}) | {p50:.2f} | {p99:.2f} "
                f"| {middle[name] / middle['echo']:.2f} | {middle[name] / middle['kserve']:.1f} |"
            )
    print("\n| server | first 200 after s | PSS MB | p50 ms at 1,000/s | p99 ms | p99.9 ms |")
    print("|---|---|---|---|---|---|")
    for name in SERVERS:
        seconds, megabytes = (statistics.median(each) for each in zip(*starts[name], strict=True))
        shown = ["-"] * 3
        if latencies := open_loops.get(name):
            shown = [f"{statistics.median(r[key] for r in latencies):.2f}" for key in ("p50", "p99", "p999")]
        print(f"| {name} | {seconds:.2f} | {megabytes:.0f} | {' | '.join(shown)} |")


def command(name: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return (arguments, environment) of a server on PORT."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SERINUS_PORT": str(PORT)}
    if name == "ours":
        environment |= {
            "SERINUS_MODEL_DIR": str(folder / "model"),
            "SERINUS_LOG_SINK": f"dir:{folder}/log",
            "SERINUS_DRAIN_SECONDS": "0",
        }
        return [sys.executable, "-m", "serinus_server"], environment
    return [sys.executable, "-m", f"bench.server_{name}", str(folder)], environment


def body(batch: int) -> bytes:
    """Return a V1 body of `batch` rows by order, which every server here takes."""
    return json.dumps({"instances": rows(batch)}).encode()


@contextmanager
def running(name: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start a server on core 0; yield (process, seconds to its first 200). Ended with all its children."""
    arguments, environment = command(name, folder)
    started = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", "0", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        request = urllib.request.Request(url(), body(1), {"content-type": "application/json"})
        while True:
            try:
                urllib.request.urlopen(request, timeout=5).close()
                break
            except OSError as error:
                if process.poll() is not None or time.perf_counter() - started > 60:
                    raise SystemExit(f"bench.server: {name} does not answer: {error}") from None
                time.sleep(0.005)
        yield process, time.perf_counter() - started
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def url() -> str:
    """Return the V1 predict URL that every server here has."""
    return f"http://127.0.0.1:{PORT}/v1/models/bench:predict"


def closed_loop(folder: Path, batch: int) -> dict[str, float]:
    """Return the rate and latencies (ms) of 16 connections that send as fast as they are answered."""
    script = folder / f"{batch}.lua"
    # A Lua long string holds the JSON as it is.
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
        f"wrk.body = [==[{body(batch).decode()}]==]\n"
        "done = function(s, l, r) io.write(string.format('RESULT %d %d %d %d %d', s.requests, s.duration, "
        "l:percentile(50), l:percentile(99), s.errors.status + s.errors.read + s.errors.connect)) end\n"
    )
    for seconds in (min(1.0, SECONDS), SECONDS):  # the first is to warm up
        done = subprocess.run(
            ["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s", "-s", script, url()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if found is None or int(found[5]):
        raise SystemExit(f"bench.server: errors under load:\n{done.stdout}")
    requests, micros, p50, p99, _ = map(int, found.groups())
    return {"rate": requests / (micros / 1e6), "p50": p50 / 1000, "p99": p99 / 1000}


def pss_megabytes(pid: int) -> float:
    """Return the proportional set size of a process, after the load it has just had."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("\nPss:")[1].split()[0]) * 1024 / 1e6


def open_loop() -> dict[str, float]:
    """Return latencies (ms) at OPEN_RATE requests a second, by the clock."""
    client = [sys.executable, "-m", "bench.open_loop", str(PORT), str(OPEN_RATE), str(SECONDS)]
    done = subprocess.run(
        ["taskset", "-c", "1", *client], input=body(1), stdout=subprocess.PIPE, timeout=120, check=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]
