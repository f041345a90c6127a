"""The verb `batch`: predictions for a whole table with a fetched model, streamed, all or nothing.

The rows are checked and encoded as the server does it (the artifact's contract), predicted by the same graph,
and appear under the target's name only when the last one is done. A re-run gives the same bytes.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer

from serinus_contracts.artifact import ModelContract
from serinus_jobs import artifact_folder
from serinus_jobs.artifact_folder import LoadedModel
from serinus_jobs.batch_rows import RowReader
from serinus_jobs.errors import JobError
from serinus_jobs.model_source import brought
from serinus_jobs.scoring import predicted
from serinus_jobs.settings import Settings
from serinus_jobs.tables.progress import counting
from serinus_jobs.tables.source import CHUNK_ROWS, Chunk, Source
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
    refuse_same(source, target, artifact)
    table, predictor = opened(artifact, source, keep, optional)
    sink = open_sink(target)
    counted: Counter[str] = Counter()
    defaulted: Counter[str] = Counter()
    rows = 0
    try:
        with counting(f"batch {table.name}") as advance:
            for chunk in table.chunks(chunk_rows):
                answer, filled = predictor.predict(chunk)
                sink.write(answer)
                counted.update(map(str, answer[PREDICTION].tolist()))
                defaulted.update(filled)
                rows += len(answer)
                advance(len(answer))
        if not rows:
            raise JobError(f"{table.name}: has a header but no rows; nothing was written")
        sink.publish()
    finally:
        sink.discard()
    return BatchResult(
        rows, predictor.contract.revision, sink.name, dict(sorted(counted.items())), dict(defaulted)
    )


class Predictor:
    """Answers chunks of one table with one model."""

    def __init__(self, model: LoadedModel, reader: RowReader, keep: Sequence[str], place: str) -> None:
        self.contract = model.contract
        self._graph, self._reader, self._keep, self._place = model.graph, reader, list(keep), place

    def predict(self, chunk: Chunk) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return the rows of the target, and how many values a default filled, by feature.

        Raises JobError naming the first bad rows.
        """
        encoded = self._reader.encode(chunk)
        probabilities = self._graph.probabilities(encoded.matrix)
        _check_probabilities(probabilities, chunk, self._place)
        return _answer(chunk.frame[self._keep], self.contract, probabilities), encoded.defaulted


def opened(
    artifact: Path, source: str, keep: Sequence[str], optional: Sequence[str]
) -> tuple[Source, Predictor]:
    """Return the table that `source` names and what predicts it. Raises JobError for what does not fit."""
    model = artifact_folder.load(artifact)
    table = open_source(source)
    columns = table.columns()
    reader = RowReader(model.contract, columns, optional, table.name)
    _check_kept(keep, columns, model.contract, table.name)
    return table, Predictor(model, reader, keep, table.name)


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


def refuse_same(source: str, target: str, artifact: Path) -> None:
    """Raise JobError where the target would replace the source, or lie in the model's folder."""
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
    artifact: Annotated[
        str,
        typer.Option(
            help="a fetched model's folder, mlflow://<model>/<version> or mlflow://<model>/@<alias>"
        ),
    ],
    source: Annotated[str, typer.Option(help=".csv, .parquet, a folder, <SQLAlchemy URL>#<table or SELECT>")],
    target: Annotated[str, typer.Option(help=".csv, .parquet, or <SQLAlchemy URL>#<table>")],
    keep: Annotated[list[str] | None, typer.Option(help="column to carry over, such as the key")] = None,
    optional: Annotated[list[str] | None, typer.Option(help="input whose column may be absent")] = None,
    of: Annotated[int, typer.Option(help="number of parts: an Indexed Job's completions")] = 1,
    index: Annotated[
        int, typer.Option(envvar="JOB_COMPLETION_INDEX", help="which part, from 0; Kubernetes sets it")
    ] = 0,
    parts: Annotated[
        Path | None, typer.Option(help="folder that all parts share; beside a target that is a file")
    ] = None,
    run_name: Annotated[
        str, typer.Option("--run", envvar="SERINUS_JOB_UID", help="what the pods of one Job have in common")
    ] = "",
) -> None:
    """Predict and say how many rows of which class."""
    settings = Settings.from_environment()
    if of > 1:
        from serinus_jobs import batch_parts

        done = batch_parts.run_part(
            artifact,
            source,
            target,
            settings,
            index=index,
            of=of,
            parts=parts or batch_parts.default_folder(target),
            run=run_name,
            keep=keep or (),
            optional=optional or (),
        )
        print(f"part {index} of {of}: {done.predicted} rows predicted, {done.found} found predicted")
        if done.joined is None:
            print("other parts are still missing; the last one joins them")
            return
        result = done.joined
    else:
        with tempfile.TemporaryDirectory(prefix="serinus-batch-") as scratch:
            folder = brought(artifact, settings, Path(scratch))
            result = run(folder, source, target, keep=keep or (), optional=optional or ())
    shares = ", ".join(f"{label} {count}" for label, count in result.predictions.items())
    print(f"{result.rows} rows predicted by revision {result.revision}: {shares}")
    for name, count in result.defaulted.items():
        print(f"  {name}: default filled {count} values")
