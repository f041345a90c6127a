"""From the server's own sinks to Parquet: what was logged is collected once, whatever is killed when."""

import asyncio
import fcntl
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import redis
from tests.support.log_lines import LINES, NOON, line, sink_to_folder, sink_to_stream

from serinus_contracts.records import LOG_COLUMNS
from serinus_jobs import collect
from serinus_jobs.errors import JobError
from serinus_jobs.log_source import GROUP
from serinus_jobs.prediction_window import read_window
from serinus_jobs.settings import Settings
from serinus_server.log.directory import DirectorySink

BAD = [
    (b"{", "Input data was truncated"),
    (b'{"prediction_id": "x"}', "missing required field"),
    (line(1, model="iris"), "model: is 'iris', this log is churn's"),
    (line(1, revision="../../etc"), "revision: is none"),
    (line(1, at=-1.0), "at: is no Unix time"),
    (line(1).replace(b'"id-1"', b'""'), "prediction_id: is empty"),
    (line(1).replace(b"0.9", b"null"), "Expected `float`, got `null`"),
    (b"\xff\xfe", "malformed"),
    (b"x" * (1 << 21), "longer than"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", feature_repo=tmp_path, tracking_uri="")


def _files(settings: Settings) -> dict[str, list[str]]:
    """Return the prediction ids by file below the log's folder."""
    log = settings.prediction_log("churn")
    return {
        str(path.relative_to(log).parent): sorted(
            i for each in sorted(path.parent.glob("*.parquet")) for i in _column(each, "prediction_id")
        )
        for path in sorted(log.rglob("*.parquet"))
    }


def _column(path: Path, name: str) -> list[Any]:
    return list(pq.ParquetFile(path).read().column(name).to_pylist())


EXPECTED = {
    "day=2026-01-01/revision=123456789012": sorted(f"id-{number}" for number in range(15, 20)),
    "day=2026-01-01/revision=rev-a": sorted(f"id-{number}" for number in range(10)),
    "day=2026-01-02/revision=rev-a": sorted(f"id-{number}" for number in range(10, 15)),
}


@pytest.fixture(params=["folder", "stream"])
def source(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> tuple[str, Callable[..., None]]:
    """An address to collect from, and a function that logs lines there through the server's sink."""
    if request.param == "folder":
        folder = tmp_path / "segments"
        folder.mkdir()
        return f"dir:{folder}", lambda lines: sink_to_folder(folder, lines)
    url = f"{redis_url}?stream={tmp_path.name}"
    return url, lambda lines: sink_to_stream(url, lines)


def test_rows_land_by_day_and_revision_once(settings: Settings, source: Any) -> None:
    address, write = source
    write(LINES)
    result = collect.run(settings, "churn", address)
    assert (result.read, result.written, result.refused, result.lost) == (20, 20, 0, 0)
    assert _files(settings) == EXPECTED
    again = collect.run(settings, "churn", address)
    assert (again.read, again.written) == (0, 0)
    write([line(99)])
    assert collect.run(settings, "churn", address).written == 1
    assert _files(settings)["day=2026-01-01/revision=rev-a"][-1] == "id-99"


def test_one_address_serves_every_models_log(settings: Settings, tmp_path: Path, redis_url: str) -> None:
    address = f"{redis_url}?stream={tmp_path.name}.{{model}}"
    sink_to_stream(address.replace("{model}", "churn"), LINES[:2])
    sink_to_stream(address.replace("{model}", "iris"), [line(1, model="iris")])
    assert collect.run(settings, "churn", address).written == 2
    assert collect.run(settings, "iris", address).written == 1


def test_a_log_that_nobody_writes_is_told_and_not_made(
    settings: Settings, tmp_path: Path, redis_url: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERINUS_DATA", str(settings.data))
    collect.command("chrun", f"{redis_url}?stream={tmp_path.name}.{{model}}")
    count, hint = capsys.readouterr().out.splitlines()
    assert count == "log of chrun: read 0 = written 0 + refused 0"
    assert hint == "nothing waits there: has a server of the model chrun answered since the last collect?"
    with redis.Redis.from_url(redis_url) as client:
        assert not client.exists(f"{tmp_path.name}.chrun")


def test_columns_are_the_contracts_and_the_window_reader_reads_them(settings: Settings, source: Any) -> None:
    address, write = source
    write(LINES[:2])
    collect.run(settings, "churn", address)
    (path,) = settings.prediction_log("churn").rglob("*.parquet")
    table = pq.ParquetFile(path).read()
    assert tuple(table.column_names) == tuple(name for name, _ in LOG_COLUMNS)
    row = table.to_pylist()[1]
    assert json.loads(row.pop("entity")) == {"customer_id": 1}
    assert json.loads(row.pop("features")) == {"age": 4, "plan": "ü"}
    assert row == {
        "prediction_id": "id-1", "at": NOON, "model": "churn", "revision": "rev-a", "prediction": "no",
        "probabilities": [0.9, 0.1], "degraded": False, "defaulted": ["age"], "stale": [],
    }  # fmt: skip
    frame = read_window(settings.prediction_log("churn"), NOON, NOON + 1, ["features", "prediction"])
    assert list(frame["prediction_id"]) == ["id-0", "id-1"]


def test_lines_that_are_no_records_are_refused_with_their_reason(settings: Settings, source: Any) -> None:
    address, write = source
    write([LINES[0], *(each for each, _ in BAD), LINES[1]])
    result = collect.run(settings, "churn", address)
    assert (result.read, result.written, result.refused) == (2 + len(BAD), 2, len(BAD))
    assert result.quarantine is not None
    rows = [json.loads(line) for line in result.quarantine.read_text().splitlines()]
    assert [row["row"] for row in rows] == list(range(2, 2 + len(BAD)))
    for row, (_, reason) in zip(rows, BAD, strict=True):
        assert reason in row["reason"]


@pytest.mark.parametrize("point", ["before the first file", "between files", "before acknowledging"])
def test_a_run_that_dies_doubles_nothing_and_loses_nothing(
    settings: Settings, source: Any, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, write = source
    write(LINES)
    real = collect._publish
    published = 0

    def die(path: Path, data: Any) -> None:
        nonlocal published
        if point == "before the first file" or (point == "between files" and published == 1):
            raise KeyboardInterrupt
        published += 1
        real(path, data)

    def forget(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(collect, "_publish", die)
        if point == "before acknowledging":
            patch.setattr("serinus_jobs.log_source.DirectorySource.acknowledge", forget)
            patch.setattr("serinus_jobs.log_source.StreamSource.acknowledge", forget)
        with pytest.raises(KeyboardInterrupt):
            collect.run(settings, "churn", address)
    before = {path: path.read_bytes() for path in settings.prediction_log("churn").rglob("*.parquet")}
    assert len(before) == {"before the first file": 0, "between files": 1, "before acknowledging": 3}[point]
    assert collect.run(settings, "churn", address).written == 20
    assert _files(settings) == EXPECTED
    assert all(path.read_bytes() == data for path, data in before.items())
    assert not list(settings.data.rglob("*.part"))


def test_segments_rotate_by_size_and_age_and_open_ones_are_left_alone(tmp_path: Path) -> None:
    async def run() -> None:
        small = DirectorySink(tmp_path, segment_bytes=len(line(1)) * 2, segment_seconds=3600)
        await small.write([line(1)])
        assert [path.suffix for path in tmp_path.iterdir()] == [".open"]
        await small.write([line(2)])
        assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]
        aged = DirectorySink(tmp_path, segment_seconds=0.0)
        await aged.write([])
        await aged.write([line(3)])
        assert len(list(tmp_path.glob("*.jsonl"))) == 2
        await small.write([line(4)])
        (still,) = tmp_path.glob("*.open")
        batches = list(collect.open_source(str(tmp_path)).batches())
        assert [len(batch.lines) for batch in batches] == [2, 1]
        assert still.exists()
        await small.close()

    asyncio.run(run())


def test_a_killed_writers_segment_is_collected_without_its_half_line(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "segments"
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from serinus_server.log.directory import DirectorySink\n"
        f"sink = DirectorySink(Path({str(folder)!r}), segment_seconds=3600)\n"
        "lines = sys.stdin.buffer.read().splitlines()\n"
        "asyncio.run(sink.write(lines))\n"
        'os.write(sink._file, b\'{"prediction_id": "half\')\n'
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"\n".join(LINES), timeout=60)
    assert done.returncode == -9
    assert [path.suffix for path in folder.iterdir()] == [".open"]
    result = collect.run(settings, "churn", str(folder))
    assert (result.read, result.written) == (20, 20)
    assert _files(settings) == EXPECTED
    assert list(folder.iterdir()) == []


def test_a_full_disk_leaves_no_half_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        sink = DirectorySink(tmp_path)
        await sink.write([line(1)])
        real, calls = sink._append, 0

        def full(data: bytes) -> None:
            nonlocal calls
            calls += 1
            real(data[:20])
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(sink, "_append", full)
            with pytest.raises(OSError, match="No space"):
                await sink.write([line(2)])
        assert calls == 1
        await sink.write([line(2)])
        await sink.close()

    asyncio.run(run())
    (segment,) = tmp_path.glob("*.jsonl")
    assert segment.read_bytes().splitlines() == [line(1), line(2)]


def test_entries_trimmed_while_they_were_pending_are_counted_as_lost(
    settings: Settings, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    sink_to_stream(f"{redis_url}?stream=trimmed", LINES)
    client.xgroup_create("trimmed", GROUP, id="0")
    client.xreadgroup(GROUP, GROUP, {"trimmed": ">"})
    client.xtrim("trimmed", maxlen=15, approximate=False)
    result = collect.run(settings, "churn", f"{redis_url}?stream=trimmed")
    assert (result.read, result.written, result.lost) == (15, 15, 5)
    assert client.xlen("trimmed") == 0


def test_a_stream_larger_than_a_batch_is_read_to_its_end(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus_jobs.log_source.BATCH_ROWS", 6)
    url = f"{redis_url}?stream=batches"
    sink_to_stream(url, LINES)
    result = collect.run(settings, "churn", url)
    assert result.written == 20
    assert _files(settings) == EXPECTED


def test_two_collectors_at_once_are_refused(settings: Settings, tmp_path: Path) -> None:
    target = settings.prediction_log("churn")
    target.mkdir(parents=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JobError, match="another collect is running") as error:
            collect.run(settings, "churn", str(tmp_path))
    assert error.value.exit_code == 1


def test_sources_that_are_not_there_are_named(settings: Settings) -> None:
    with pytest.raises(JobError, match="is no folder"):
        collect.run(settings, "churn", "dir:/nowhere/at/all")
    with pytest.raises(JobError, match="stream x: ") as error:
        collect.run(settings, "churn", "redis://:s3cret@127.0.0.1:1/0?stream=x")
    assert error.value.exit_code == 1
    assert "s3cret" not in str(error.value)


def test_the_command_prints_the_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from serinus_jobs.cli import main

    sink_to_folder(tmp_path / "segments", [*LINES, b"{"])
    monkeypatch.setenv("SERINUS_DATA", str(tmp_path / "data"))
    with pytest.raises(SystemExit) as ended:
        main(["collect", "--model", "churn", "--source", str(tmp_path / "segments")])
    assert ended.value.code in (0, None)
    shown = capsys.readouterr().out
    assert "log of churn: read 21 = written 20 + refused 1" in shown
    assert "refused lines, with reasons:" in shown
