"""Turn the servers' prediction log into Parquet by day and revision.

One file a batch, day and revision, named after the batch: a run that is repeated, or killed between any
two steps, writes the same files again and doubles nothing. A batch is acknowledged only after its files
are on disk under their names.
"""

import json
import math
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from serinus_contracts.records import PredictionRecord
from serinus_jobs.alone import alone
from serinus_jobs.log_source import open_source
from serinus_jobs.prediction_window import LOG_SCHEMA
from serinus_jobs.progress import Steps
from serinus_jobs.settings import Settings

_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_LINE = 1 << 20
# Midnight of the year 2200: what lies beyond is no clock's time.
_LATEST = 7_258_118_400.0
_decoder = msgspec.json.Decoder(PredictionRecord)


@dataclass(frozen=True)
class CollectResult:
    """What became of the log's rows: `read = written + refused`.

    `lost` entries of a stream were trimmed before they could be read; they are not among `read`.
    """

    read: int
    written: int
    refused: int
    lost: int
    files: int
    quarantine: Path | None


def run(settings: Settings, model: str, source: str) -> CollectResult:
    """Collect what `source` holds of `model`'s predictions into `settings.prediction_log(model)`.

    `source` is a folder (or `dir:/path`) or `redis://host:port/db?stream=name`, where `{model}` becomes the
    model's name. A line that is no record of this model goes to
    `settings.quarantine("prediction-log-<model>")` with its reason. Raises JobError for a source that is not
    there, or when another run holds the folder.
    """
    target = settings.prediction_log(model)
    target.mkdir(parents=True, exist_ok=True)
    read = written = refused = lost = files = 0
    quarantine = None
    log = open_source(source.replace("{model}", quote(model, safe="")))
    # Two collectors at once would take each other's batches.
    with alone(target / ".lock", "another collect"), Steps("collect").step("the prediction log"):
        for batch in log.batches():
            good, bad = _sorted(batch.lines, model)
            for (day, revision), records in sorted(good.items()):
                _write(target / f"day={day}" / f"revision={revision}" / f"{batch.name}.parquet", records)
            if bad:
                quarantine = settings.quarantine(f"prediction-log-{model}") / f"{batch.name}.jsonl"
                _publish(quarantine, "".join(json.dumps(row) + "\n" for row in bad).encode())
            log.acknowledge(batch)
            read += len(batch.lines)
            written += sum(map(len, good.values()))
            refused += len(bad)
            lost += batch.lost
            files += len(good)
    return CollectResult(read, written, refused, lost, files, quarantine)


def _sorted(
    lines: list[bytes], model: str
) -> tuple[dict[tuple[str, str], list[PredictionRecord]], list[dict[str, Any]]]:
    """Return (records by day and revision, refused lines with number and reason)."""
    good: dict[tuple[str, str], list[PredictionRecord]] = defaultdict(list)
    bad = []
    for number, line in enumerate(lines, 1):
        try:
            record = _record(line, model)
        except (msgspec.MsgspecError, ValueError) as error:
            text = line[:_LONGEST_LINE].decode(errors="replace")
            bad.append({"row": number, "reason": str(error), "line": text})
        else:
            day = datetime.fromtimestamp(record.at, UTC).date().isoformat()
            good[day, record.revision].append(record)
    return good, bad


def _record(line: bytes, model: str) -> PredictionRecord:
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"longer than {_LONGEST_LINE} bytes")
    record = _decoder.decode(line)
    if not record.prediction_id:
        raise ValueError("prediction_id: is empty")
    if record.model != model:
        raise ValueError(f"model: is {record.model[:64]!r}, this log is {model}'s")
    if not (math.isfinite(record.at) and 0 < record.at < _LATEST):
        raise ValueError("at: is no Unix time in seconds")
    if not _REVISION.fullmatch(record.revision):
        raise ValueError("revision: is none (letters, digits, dot, dash, underscore)")
    return record


def _write(path: Path, records: list[PredictionRecord]) -> None:
    columns: dict[str, list[Any]] = {
        name: [getattr(record, name) for record in records] for name in LOG_SCHEMA.names
    }
    for name in ("entity", "features"):
        columns[name] = [json.dumps(value, sort_keys=True, ensure_ascii=False) for value in columns[name]]
    table = pa.table(columns, schema=LOG_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    _publish(path, sink.getvalue())


def _publish(path: Path, data: bytes | pa.Buffer) -> None:
    """Write `data` to disk beside `path`, then give it its name, then make the name durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def command(
    model: Annotated[str, typer.Option(help="the model's name, as the server logs it")],
    source: Annotated[
        str,
        typer.Option(
            envvar="SERINUS_LOG_SOURCE",
            help="folder of segments, or redis://host:port/db?stream=name; {model} is filled",
        ),
    ],
) -> None:
    """Run the verb from the command line."""
    result = run(Settings.from_environment(), model, source)
    print(f"log of {model}: read {result.read} = written {result.written} + refused {result.refused}")
    if result.read == result.lost == 0:
        print(f"nothing waits there: has a server of the model {model} answered since the last collect?")
    if result.lost:
        print(f"{result.lost} entries were trimmed from the stream before they could be read")
    if result.quarantine:
        print(f"refused lines, with reasons: {result.quarantine.parent}")
