"""One table predicted by many pods: each takes every n-th chunk, the last one to finish joins them.

    <parts>/run-<run>.json           which model version this Job reads, and what came of it once it is done
    <parts>/<key>/chunk-000017.parquet, .json   the answer to a chunk; `key` names model, source and columns

A chunk's file appears whole, under a name that says what it is the answer to: so whoever finds it need not
make it again, and a pod that is killed is replaced by one that goes on behind its last chunk. The target
appears whole as well, with the bytes that one process alone would have written.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from serinus_jobs.alone import alone
from serinus_jobs.batch import PREDICTION, BatchResult, Predictor, opened, refuse_same
from serinus_jobs.errors import JobError
from serinus_jobs.model_source import brought, pinned
from serinus_jobs.settings import Settings
from serinus_jobs.tables.digest import added, row_sum
from serinus_jobs.tables.parquet_files import NULLABLE, ParquetSink
from serinus_jobs.tables.progress import counting
from serinus_jobs.tables.source import CHUNK_ROWS, Source, temporary_beside
from serinus_jobs.tables.spec import open_sink
from serinus_jobs.tables.sql import SqlSource, as_text

_JOIN_SECONDS = 1_800.0


@dataclass(frozen=True)
class PartResult:
    """`predicted` rows now, `found` rows of earlier pods, both of this part. `joined` is the whole table's
    result, None while other parts are missing."""

    predicted: int
    found: int
    joined: BatchResult | None


def default_folder(target: str) -> Path:
    """Return where parts of `target` lie if nobody says where. Raises JobError for a database's table."""
    if "://" in target:
        raise JobError("--parts: a table of a database needs a folder that all parts share; name one")
    path = Path(target)
    return path.with_name(f".{path.name}.parts")


def run_part(
    artifact: str,
    source: str,
    target: str,
    settings: Settings,
    *,
    index: int,
    of: int,
    parts: Path,
    run: str = "",
    keep: Sequence[str] = (),
    optional: Sequence[str] = (),
    chunk_rows: int = CHUNK_ROWS,
) -> PartResult:
    """Predict part `index` (from 0) of `of`, and join all parts if they are there.

    `artifact` is a folder or an address of model_source. `run` names the Job: its pods read one version of
    the model, whatever an alias does meanwhile, and a pod that comes after the joining has nothing to do.
    Raises JobError as batch.run does.
    """
    if not 0 <= index < of:
        raise JobError(f"--index {index}: must lie between 0 and {of - 1}, for --of {of}")
    parts.mkdir(parents=True, exist_ok=True)
    record = parts / f"run-{run}.json"
    state: dict[str, Any] = {"artifact": artifact}
    if run:
        state = _agreed(record, artifact, settings)
    if "result" in state:
        return PartResult(0, 0, BatchResult(**state["result"]))
    with tempfile.TemporaryDirectory(prefix="serinus-batch-") as scratch:
        folder = brought(state["artifact"], settings, Path(scratch))
        refuse_same(source, target, folder)
        table, predictor = opened(folder, source, keep, optional)
    fingerprint = table.fingerprint()
    facts = [fingerprint, predictor.contract.digest, target, list(keep), sorted(optional), chunk_rows]
    work = parts / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    work.mkdir(exist_ok=True)
    done = _predict(work, table, predictor, index, of, chunk_rows)
    if not done.rows:
        raise JobError(f"{table.name}: has a header but no rows; nothing was written")
    if not _complete(work, done.chunks):
        return PartResult(done.predicted, done.found, None)
    with alone(parts / "lock", "another pod that joins the parts", _JOIN_SECONDS):
        # Another pod may have joined them while this one waited.
        state = _read(record) if run else state
        if "result" in state:
            return PartResult(done.predicted, done.found, BatchResult(**state["result"]))
        if not _complete(work, done.chunks):
            return PartResult(done.predicted, done.found, None)
        if table.fingerprint() != fingerprint:
            raise JobError(f"{table.name}: changed while it was read; nothing was written, run again")
        _check_rows(work, table, done.chunks, chunk_rows)
        result = _join(work, done.chunks, done.rows, target, predictor.contract.revision)
        if run:
            _write(record, {**state, "result": asdict(result)})
    shutil.rmtree(work, ignore_errors=True)
    return PartResult(done.predicted, done.found, result)


@dataclass(frozen=True)
class _Done:
    """`chunks` and `rows` of the whole table; of this part's rows those `predicted` now and `found` done."""

    chunks: int
    rows: int
    predicted: int
    found: int


def _predict(work: Path, table: Source, predictor: Predictor, index: int, of: int, chunk_rows: int) -> _Done:
    """Answer the part's chunks that nobody has answered yet."""
    chunks = rows = predicted = found = 0
    with counting(f"batch {table.name}, part {index} of {of}") as advance:
        for number, chunk in enumerate(table.chunks(chunk_rows)):
            chunks, rows = number + 1, rows + len(chunk.frame)
            if number % of != index:
                continue
            if _chunk(work, number).exists():
                found += len(chunk.frame)
            else:
                answer, defaulted = predictor.predict(chunk)
                about = {"defaulted": dict(defaulted), "rows": _rows_of(table, chunk.frame)}
                _write_chunk(work, number, answer, about)
                predicted += len(answer)
            advance(len(chunk.frame))
    return _Done(chunks, rows, predicted, found)


def _agreed(record: Path, artifact: str, settings: Settings) -> dict[str, Any]:
    """Return the state of the Job; the first of its pods decides which model version all of them read."""
    if not record.exists():
        temporary = temporary_beside(record)
        temporary.write_text(json.dumps({"artifact": pinned(artifact, settings)}))
        try:
            # Unlike a rename, a link does not replace what another pod wrote a moment ago.
            os.link(temporary, record)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return _read(record)


def _join(work: Path, chunks: int, rows: int, target: str, revision: str) -> BatchResult:
    """Write all chunks to the target, in order. Raises AssertionError where rows are lost or doubled."""
    sink = open_sink(target)
    counted: Counter[str] = Counter()
    defaulted: Counter[str] = Counter()
    written = 0
    try:
        for number in range(chunks):
            path = _chunk(work, number)
            answer = pq.read_table(path).to_pandas(types_mapper=NULLABLE.get)
            sink.write(answer)
            counted.update(map(str, answer[PREDICTION].tolist()))
            defaulted.update(_read(path.with_suffix(".json"))["defaulted"])
            written += len(answer)
        if written != rows:
            raise AssertionError(f"the source has {rows} rows, its {chunks} chunks {written}")
        sink.publish()
    finally:
        sink.discard()
    return BatchResult(written, revision, sink.name, dict(sorted(counted.items())), dict(defaulted))


def _chunk(work: Path, number: int) -> Path:
    return work / f"chunk-{number:06d}.parquet"


def _complete(work: Path, chunks: int) -> bool:
    return all(_chunk(work, number).exists() for number in range(chunks))


def _rows_of(table: Source, frame: pd.DataFrame) -> int | None:
    """Return what says which rows these are. A file gives its rows in one order; a database may not."""
    return row_sum(as_text(frame)) if isinstance(table, SqlSource) else None


def _check_rows(work: Path, table: Source, chunks: int, chunk_rows: int) -> None:
    """Raise JobError where the chunks are not the table's rows, each once."""
    if not isinstance(table, SqlSource):
        return
    whole = added(row_sum(as_text(chunk.frame)) for chunk in table.chunks(chunk_rows))
    found = added(_read(_chunk(work, number).with_suffix(".json"))["rows"] for number in range(chunks))
    if whole != found:
        # What is there fits no order, so no later run may take it up.
        shutil.rmtree(work, ignore_errors=True)
        raise JobError(
            f"{table.name}: gave its rows in another order to each part, so some were lost, others doubled. "
            "Name a table with a primary key, or ORDER BY a unique key; nothing was written"
        )


def _write_chunk(work: Path, number: int, answer: pd.DataFrame, about: dict[str, Any]) -> None:
    path = _chunk(work, number)
    # First what belongs to it: the chunk's own file says that both are there.
    _write(path.with_suffix(".json"), about)
    sink = ParquetSink(path)
    try:
        sink.write(answer)
        sink.publish()
    finally:
        sink.discard()


def _write(path: Path, document: dict[str, Any]) -> None:
    temporary = temporary_beside(path)
    temporary.write_text(json.dumps(document, sort_keys=True))
    temporary.replace(path)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))
