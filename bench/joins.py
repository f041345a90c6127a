"""Point-in-time joins: our offline store through Feast, a DuckDB ASOF join by hand, Feast's own store.

Each case runs in a process of its own: pandas label rows in, an Arrow table out. Imports, and a first
call on ten rows that loads what is loaded lazily, are not counted. Peak memory is that of the process;
in brackets what it held before the call (imports and label rows). The table has no late rows, so
that the query by hand, which knows nothing of creation times, is right; all answers are compared.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

CUSTOMERS, DAYS, FEATURES = 1000, 90, 6
TTL = timedelta(days=30)
ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
CASES = ("ours", "by hand", "feast duckdb")
ROUNDS = 3
# Feast's own store joins all history at or before each row: one round of it is enough to see.
ROUNDS_OF = {"feast duckdb": 1}
LIMIT_SECONDS = 900


def main(rows: int = 1_000_000) -> None:
    """Print time and peak memory for one and three views."""
    with tempfile.TemporaryDirectory(prefix="serinus-joins-") as name:
        folder = Path(name)
        _write(folder, rows)
        print(
            f"{rows} label rows, {CUSTOMERS} customers x {DAYS} days, {FEATURES} features a view, "
            f"ttl {TTL.days} days\n"
        )
        print("| store | views | seconds | x by hand | peak MB (before) | same answer |")
        print("|---|---|---|---|---|---|")
        for views in (1, 3):
            results = {case: _run(folder, case, views) for case in CASES}
            hand = results["by hand"]
            for case, result in results.items():
                same = "-" if case == "by hand" else "yes" if result["answer"] == hand["answer"] else "NO"
                times = f"{result['seconds']:.2f} | {result['seconds'] / hand['seconds']:.1f}"
                memory = f"{result['peak']:.0f} ({result['before']:.0f})"
                print(f"| {case} | {views} | {times} | {memory} | {same} |", flush=True)
            if any(result["answer"] != hand["answer"] for result in results.values()):
                raise SystemExit("the answers differ: the figures above compare nothing")


def child(home: str, case: str, views: int) -> None:
    """Measure one case in this process and print the result as JSON."""
    folder = Path(home)
    # Feast's own store calls a method that a later DuckDB will drop.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    labels = pd.read_parquet(folder / "labels.parquet")
    join = _by_hand(folder, views) if case == "by hand" else _through_feast(folder, case, views)
    join(labels.head(10))
    before, seconds = _peak_mb(), []
    for _ in range(ROUNDS_OF.get(case, ROUNDS)):
        start = time.perf_counter()
        answer = join(labels)
        seconds.append(time.perf_counter() - start)
    result = {"seconds": min(seconds), "before": before, "peak": _peak_mb(), "answer": _digest(answer)}
    print(json.dumps(result))


def _run(folder: Path, case: str, views: int) -> dict[str, Any]:
    code = f"from bench.joins import child; child({str(folder)!r}, {case!r}, {views})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _write(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(7)
    count = CUSTOMERS * DAYS
    moments = pd.DatetimeIndex(ORIGIN + pd.to_timedelta(np.arange(DAYS), unit="D")).as_unit("us")
    for view in range(3):
        frame = pd.DataFrame(
            {
                "customer_id": np.tile(np.arange(CUSTOMERS), DAYS),
                "event_timestamp": np.repeat(moments, CUSTOMERS),
                "created_timestamp": np.repeat(moments, CUSTOMERS),
            }
        )
        for feature in range(FEATURES):
            frame[f"v{view}_{feature}"] = rng.normal(size=count)
        frame.to_parquet(folder / f"v{view}.parquet", index=False)
    seconds = rng.integers(0, (DAYS + 40) * 86_400, rows)
    pd.DataFrame(
        {
            "row": np.arange(rows),
            "customer_id": rng.integers(0, CUSTOMERS, rows),
            "event_timestamp": pd.DatetimeIndex(ORIGIN + pd.to_timedelta(seconds, unit="s")).as_unit("us"),
            "label": rng.integers(0, 2, rows),
        }
    ).to_parquet(folder / "labels.parquet", index=False)


def _by_hand(folder: Path, views: int) -> Callable[[pd.DataFrame], pa.Table]:
    import duckdb

    days = f"INTERVAL {TTL.days} DAY"
    query = "FROM labels l"
    columns = ["l.*"]
    for view in range(views):
        names = [f"v{view}_{feature}" for feature in range(FEATURES)]
        query += (
            f" ASOF LEFT JOIN read_parquet('{folder}/v{view}.parquet') h{view}"
            f" ON l.customer_id = h{view}.customer_id AND l.event_timestamp >= h{view}.event_timestamp"
        )
        fresh = f"l.event_timestamp <= h{view}.event_timestamp + {days}"
        columns += [f"CASE WHEN {fresh} THEN h{view}.{name} END AS {name}" for name in names]
    query = f"SELECT {', '.join(columns)} {query}"

    def join(labels: pd.DataFrame) -> pa.Table:
        with duckdb.connect() as opened:
            opened.execute("SET TimeZone = 'UTC'")
            opened.register("labels", labels)
            return opened.sql(query).to_arrow_table()

    return join


def _through_feast(folder: Path, case: str, views: int) -> Callable[[pd.DataFrame], pa.Table]:
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.repo_config import RepoConfig
    from feast.types import Float64, Int64

    kind = {"ours": "serinus_jobs.offline.asof.AsOfOfflineStore", "feast duckdb": "duckdb"}[case]
    home = folder / f"{case}-{views}"
    home.mkdir()
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(home / "registry.db"),
            online_store={"type": "sqlite", "path": str(home / "online.db")},
            offline_store={"type": kind},
            entity_key_serialization_version=3,
        )
    )
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    made = [
        FeatureView(
            name=f"v{view}",
            entities=[customer],
            ttl=TTL,
            source=FileSource(
                path=str(folder / f"v{view}.parquet"),
                timestamp_field="event_timestamp",
                created_timestamp_column="created_timestamp",
            ),
            schema=[
                Field(name="customer_id", dtype=Int64),
                *(Field(name=f"v{view}_{feature}", dtype=Float64) for feature in range(FEATURES)),
            ],
        )
        for view in range(views)
    ]
    store.apply([customer, *made])
    references = [f"v{view}:v{view}_{feature}" for view in range(views) for feature in range(FEATURES)]

    def join(labels: pd.DataFrame) -> pa.Table:
        return store.get_historical_features(entity_df=labels, features=references).to_arrow()

    return join


def _peak_mb() -> float:
    """Return the largest resident memory of this process so far (of this program, not of its parent)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _digest(answer: pa.Table) -> str:
    order = np.argsort(answer.column("row").to_numpy())
    seen = hashlib.sha256()
    for name in sorted(answer.column_names):
        if name.startswith("v") or name in ("row", "label"):
            values = answer.column(name).to_numpy()[order].astype(np.float64)
            # One kind of missing: a null and a NaN have many bit patterns.
            seen.update(np.where(np.isnan(values), -1e308, values).tobytes())
    return seen.hexdigest()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
