"""Rows of a label file, one by one: a LabelRecord, or why the row is refused."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from serinus_contracts.artifact import Scalar
from serinus_contracts.records import LabelRecord
from serinus_jobs.errors import JobError

COLUMNS = ("prediction_id", "label", "observed_at")
_CHUNK = 50_000
_LONGEST = 256


class Refused(NamedTuple):
    """One refused row. `row` counts data rows from 1 (of JSON lines: lines)."""

    row: int
    reason: str
    prediction_id: str
    label: str
    observed_at: str


def class_text(value: Scalar) -> str:
    """Return a class label as log and labels write it: JSON's true and false for bools."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parsed_rows(path: Path, classes: tuple[str, ...]) -> Iterator[LabelRecord | Refused]:
    """Yield each row of the file, in order. Raises JobError for a file that cannot be read at all."""
    readers: dict[str, Callable[[Path], Iterator[Mapping[str, Any] | str]]] = {
        ".csv": _csv,
        ".parquet": _parquet,
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise JobError(f"{path}: labels come as {', '.join(readers)}")
    try:
        for number, row in enumerate(reader(path), start=1):
            yield _checked(number, row, classes)
    except OSError as error:
        # pyarrow's own have no strerror.
        raise JobError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise JobError(f"{path}: cannot be read: {error}") from None


def _checked(number: int, row: Mapping[str, Any] | str, classes: tuple[str, ...]) -> LabelRecord | Refused:
    if isinstance(row, str):
        return Refused(number, row, "", "", "")
    key, label, moment = (row.get(name) for name in COLUMNS)

    def refused(reason: str) -> Refused:
        return Refused(number, reason, *(_shown(value) for value in (key, label, moment)))

    if not isinstance(key, str) or not key or len(key) > _LONGEST:
        return refused(f"prediction_id: must be text of 1 to {_LONGEST} characters")
    if label is None or label == "" or (isinstance(label, float) and math.isnan(label)):
        return refused("label: is empty")
    if not isinstance(label, str | int | float | bool) or len(str(label)) > _LONGEST:
        return refused(f"label: must be text, a number or a bool, of at most {_LONGEST} characters")
    text = class_text(int(label) if isinstance(label, float) and label.is_integer() else label)
    if classes and text not in classes:
        return refused(f"label: must be one of {', '.join(classes)}")
    try:
        observed_at = _seconds(moment)
    except (ValueError, OverflowError):
        return refused("observed_at: must be Unix seconds or an ISO 8601 time")
    return LabelRecord(key, text, observed_at)


def _seconds(moment: Any) -> float:
    """Return Unix seconds of a number, a numeric text, an ISO 8601 text or a timestamp; without a zone
    it is UTC."""
    if isinstance(moment, bool) or moment is None or moment is pd.NaT:
        raise ValueError(moment)
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    try:
        seconds = float(moment)
    except (TypeError, ValueError):
        return _seconds(datetime.fromisoformat(str(moment)))
    if not math.isfinite(seconds) or not 0 <= seconds < 1e11:
        raise ValueError(moment)
    return seconds


def _shown(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST]


def _csv(path: Path) -> Iterator[Mapping[str, Any] | str]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        _require(path, list(rows.fieldnames or ()))
        for row in rows:
            yield row if None not in row else "has more fields than the header"


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    with pq.ParquetFile(path) as file:
        _require(path, file.schema_arrow.names)
        for batch in file.iter_batches(_CHUNK, columns=list(COLUMNS)):
            yield from batch.to_pylist()


def _json_lines(path: Path) -> Iterator[Mapping[str, Any] | str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError as error:
                yield f"not JSON: {error}"
                continue
            yield row if isinstance(row, dict) else "not a JSON object"


def _require(path: Path, found: list[str]) -> None:
    absent = [name for name in COLUMNS if name not in found]
    if absent:
        raise JobError(f"{path}: column {absent[0]!r} is missing; columns are {', '.join(found) or 'none'}")
