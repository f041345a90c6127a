"""The verb `batch`: predictions for a whole table with a fetched model, streamed, all or nothing.

The rows are checked and encoded as the server does it (the artifact's contract), predicted by the same graph,
and appear under the target's name only when the last one is done. A re-run gives the same bytes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer

from serinus_contracts.artifact import ModelContract
from serinus_jobs import artifact_folder
from serinus_jobs.batch_rows import RowReader
from serinus_jobs.errors import JobError
from serinus_jobs.scoring import predicted
from serinus_jobs.tables.progress import counting
from serinus_jobs.tables.source import CHUNK_ROWS, Chunk
from serinus_jobs.tables.spec import open_sink, open_source

PREDICTION = "prediction"


@dataclass(frozen=True)
class BatchResult:
    """`predictions` counts rows by class label, `defaulted` the values that a default filled, by feature."""

    rows: int
    revision: str
    target: str
    predictions: dict[str, int]
    defaulted: dict[str, int]


def run(
    artifact: Path,
    source: str,
    target: str,
    *,
    keep: Sequence[str] = (),
    optional: Sequence[str] = (),
    chunk_rows: int = CHUNK_ROWS,
) -> BatchResult:
    """Predict every row of `source` with the model in the folder `artifact`; write `target`.

    `source` is as in tables.spec.open_source, `target` as in open_sink. The target holds the columns of
    `keep` as they came, `prediction`, and `probability_<class>` for each class. An input's column
    may be absent only if `optional` names it, and it has a default.

    Raises JobError naming row, feature and reason for a bad row, and for whatever else is wrong; then
    the target is as it was.
    """
    model = artifact_folder.load(artifact)
    opened = open_source(source)
    columns = opened.columns()
    reader = RowReader(model.contract, columns, optional, opened.name)
    _check_kept(keep, columns, model.contract, opened.name)
    _refuse_same(source, target, artifact)
    sink = open_sink(target)
    counted: Counter[str] = Counter()
    defaulted: Counter[str] = Counter()
    rows = 0
    try:
        with counting(f"batch {opened.name}") as advance:
            for chunk in opened.chunks(chunk_rows):
                encoded = reader.encode(chunk)
                probabilities = model.graph.probabilities(encoded.matrix)
                _check_probabilities(probabilities, chunk, opened.name)
                answer = _answer(chunk.frame[list(keep)], model.contract, probabilities)
                sink.write(answer)
                counted.update(map(str, answer[PREDICTION].tolist()))
                defaulted.update(encoded.defaulted)
                rows += len(answer)
                advance(len(answer))
        if not rows:
            raise JobError(f"{opened.name}: has a header but no rows; nothing was written")
        sink.publish()
    finally:
        sink.discard()
    return BatchResult(
        rows, model.contract.revision, sink.name, dict(sorted(counted.items())), dict(defaulted)
    )


def _answer(
    kept: pd.DataFrame, contract: ModelContract, probabilities: npt.NDArray[np.float64]
) -> pd.DataFrame:
    labels = np.array(contract.classes, dtype=object)
    answer = kept.copy()
    answer[PREDICTION] = labels[predicted(probabilities, contract.threshold)]
    for column, label in enumerate(contract.classes):
        answer[f"probability_{label}"] = probabilities[:, column]
    return answer


def _check_kept(keep: Sequence[str], columns: Sequence[str], contract: ModelContract, place: str) -> None:
    reserved = {PREDICTION, *(f"probability_{label}" for label in contract.classes)}
    for name in keep:
        if name not in columns:
            raise JobError(f"--keep {name}: {place} has no such column; it has {', '.join(columns)}")
        if name in reserved or keep.count(name) > 1:
            raise JobError(f"--keep {name}: the target has a column of that name already")


def _check_probabilities(probabilities: npt.NDArray[np.float64], chunk: Chunk, place: str) -> None:
    sound = np.isfinite(probabilities).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1.0) < 1e-3)
    if not sound.all():
        row = chunk.first + int(np.flatnonzero(~sound)[0])
        raise JobError(
            f"{place}: row {row}: the model's answer is no probability vector; nothing was written"
        )


def _refuse_same(source: str, target: str, artifact: Path) -> None:
    if "://" in target:
        if source == target:
            raise JobError(f"{target.partition('#')[2]}: is the source as well; name another table")
        return
    place = Path(target).resolve()
    if "://" not in source and place == Path(source).resolve():
        raise JobError(f"{target}: is the source as well; name another file")
    if place.is_relative_to(artifact.resolve()):
        raise JobError(f"{target}: lies in the model's own folder; name another place")


def command(
    artifact: Annotated[Path, typer.Option(help="folder with model.onnx and serinus.json")],
    source: Annotated[str, typer.Option(help=".csv, .parquet, a folder, <SQLAlchemy URL>#<table or SELECT>")],
    target: Annotated[str, typer.Option(help=".csv, .parquet, or <SQLAlchemy URL>#<table>")],
    keep: Annotated[list[str] | None, typer.Option(help="column to carry over, such as the key")] = None,
    optional: Annotated[list[str] | None, typer.Option(help="input whose column may be absent")] = None,
) -> None:
    """Predict and say how many rows of which class."""
    result = run(artifact, source, target, keep=keep or (), optional=optional or ())
    shares = ", ".join(f"{label} {count}" for label, count in result.predictions.items())
    print(f"{result.rows} rows predicted by revision {result.revision}: {shares}")
    for name, count in result.defaulted.items():
        print(f"  {name}: default filled {count} values")
