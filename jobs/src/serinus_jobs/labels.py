"""Take in labels that came late: CSV, Parquet or JSON lines of prediction_id, label, observed_at.

One row per prediction id is kept: the label stated last (by `observed_at`; of two at the same moment
the greater by text, so that the order of files does not matter), and when any label was first stated.
Taking the same file in twice changes nothing.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from serinus_contracts.records import LabelRecord
from serinus_jobs.alone import alone
from serinus_jobs.errors import JobError
from serinus_jobs.label_source import Refused, class_text, parsed_rows
from serinus_jobs.project import load_model
from serinus_jobs.settings import Settings

FILE = "labels.parquet"
SCHEMA = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("label", pa.string()),
        ("observed_at", pa.float64()),
        ("first_at", pa.float64()),
    ]
)
_NAMED = 5
_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class LabelsResult:
    """What became of the source's rows: `read = written + duplicates + refused`.

    `written` gave a prediction a new label or another one, `duplicates` told nothing new.
    `contradictions` (among both) stated another label than the one known. `unknown` ids (among both)
    are in no collected log, yet; they are kept, because a log may be collected later.
    """

    read: int
    written: int
    duplicates: int
    refused: int
    contradictions: int
    unknown: int
    unknown_ids: tuple[str, ...]
    quarantine: Path | None


def run(settings: Settings, model: str, source: str | Path, *, classes: tuple[str, ...] = ()) -> LabelsResult:
    """Take the labels of the file `source` into `settings.labels(model)`.

    With `classes`, a label that is none of them is refused. Refused rows go to
    `settings.quarantine("labels-<model>")` with row number and reason. Raises JobError for a source that
    cannot be read or lacks a column.
    """
    path = Path(source)
    good: list[LabelRecord] = []
    refused: list[Refused] = []
    for row in parsed_rows(path, classes):
        (good if isinstance(row, LabelRecord) else refused).append(row)  # type: ignore[arg-type]
    folder = settings.labels(model)
    folder.mkdir(parents=True, exist_ok=True)
    # Two writers at once would lose one's labels.
    with alone(folder / ".lock", "another `labels`", _WAIT_SECONDS):
        known = read(settings, model)
        merged, written, contradictions = _merged(known, good)
        if written or len(merged) != len(known) or not merged.equals(known):
            _write(merged, folder / FILE)
    logged = _logged_ids(settings.prediction_log(model))
    strangers = list(dict.fromkeys(row.prediction_id for row in good if row.prediction_id not in logged))
    quarantine = None
    if refused:
        quarantine = settings.quarantine(f"labels-{model}") / f"{path.stem}.csv"
        quarantine.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(refused).to_csv(quarantine, index=False)
    return LabelsResult(
        read=len(good) + len(refused),
        written=written,
        duplicates=len(good) - written,
        refused=len(refused),
        contradictions=contradictions,
        unknown=len(strangers),
        unknown_ids=tuple(strangers[:_NAMED]),
        quarantine=quarantine,
    )


def read(settings: Settings, model: str) -> pd.DataFrame:
    """Return all labels of `model`, sorted by prediction_id, with the columns of SCHEMA."""
    path = settings.labels(model) / FILE
    table = pq.read_table(path) if path.exists() else SCHEMA.empty_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _merged(known: pd.DataFrame, good: list[LabelRecord]) -> tuple[pd.DataFrame, int, int]:
    """Return (all labels, how many rows changed an id's label, how many contradicted it), row by row."""
    labels = {
        row[0]: (row[1], row[2], row[3])
        for row in known[["prediction_id", "label", "observed_at", "first_at"]].itertuples(
            index=False, name=None
        )
    }
    written = contradictions = 0
    for record in good:
        new = (record.label, record.observed_at)
        before = labels.get(record.prediction_id)
        if before is None:
            labels[record.prediction_id] = (*new, record.observed_at)
            written += 1
            continue
        label, observed_at, first_at = before
        contradictions += label != record.label
        newest = max((observed_at, label), (record.observed_at, record.label))
        written += newest[1] != label
        labels[record.prediction_id] = (newest[1], newest[0], min(first_at, record.observed_at))
    rows = [(key, *labels[key]) for key in sorted(labels)]
    return pd.DataFrame(rows, columns=SCHEMA.names), written, contradictions


def _logged_ids(log: Path) -> set[str]:
    """Return the prediction ids of the collected log."""
    ids: set[str] = set()
    for path in sorted(log.rglob("*.parquet")):
        try:
            table = pq.ParquetFile(path).read(columns=["prediction_id"])
        except (OSError, pa.ArrowException) as error:
            raise JobError(f"{path}: cannot be read: {error}; collect the log again") from None
        ids.update(table.column(0).to_pylist())
    return ids


def _write(labels: pd.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".partial")
    table = pa.Table.from_pandas(labels, schema=SCHEMA, preserve_index=False)
    pq.write_table(table, partial)
    os.replace(partial, path)


def _lines(result: LabelsResult, model: str) -> Iterable[str]:
    yield (
        f"labels of {model}: read {result.read} = written {result.written} + duplicates {result.duplicates}"
        f" + refused {result.refused}; contradictions {result.contradictions}"
    )
    if result.unknown:
        yield f"{result.unknown} ids are in no collected log, such as {', '.join(result.unknown_ids)}"
    if result.quarantine:
        yield f"refused rows, with reasons: {result.quarantine}"


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    source: Annotated[Path, typer.Option(help="CSV, Parquet or JSON lines")],
) -> None:
    """Run the verb from the command line."""
    project = load_model(model_dir)
    classes = tuple(class_text(each) for each in project.label.classes)
    result = run(Settings.from_environment(), project.name, source, classes=classes)
    for line in _lines(result, project.name):
        print(line)
