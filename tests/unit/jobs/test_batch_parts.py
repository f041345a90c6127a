"""A table predicted in parts: killed anywhere, in any order, the target is what one process writes."""

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.tables import customer_table
from tests.support.training import settings_in

from serinus_contracts.artifact import ModelContract
from serinus_jobs import batch, batch_parts, cli
from serinus_jobs.batch_parts import PartResult
from serinus_jobs.errors import JobError
from serinus_jobs.tables.parquet_files import ParquetSink

Artifact = tuple[Path, ModelContract]
CHUNK = 4  # customer_table has 25 rows: seven chunks
OF = 3


class Killed(BaseException):
    """The pod is gone: nothing of ours handles it."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    customer_table().to_csv(path, index=False)
    return path


@pytest.fixture
def part(artifact: Artifact, source: Path, tmp_path: Path) -> Callable[..., PartResult]:
    def run(index: int, *, target: str = "out.parquet", **others: Any) -> PartResult:
        arguments: dict[str, Any] = {
            "of": OF,
            "parts": tmp_path / "parts",
            "keep": ["customer_id"],
            "chunk_rows": CHUNK,
            **others,
        }
        place = target if "://" in target else str(tmp_path / target)
        return batch_parts.run_part(
            str(artifact[0]), str(source), place, settings_in(tmp_path), index=index, **arguments
        )

    return run


@pytest.fixture
def alone(artifact: Artifact, source: Path, tmp_path: Path) -> bytes:
    """What one process writes."""
    batch.run(
        artifact[0], str(source), str(tmp_path / "alone.parquet"), keep=["customer_id"], chunk_rows=CHUNK
    )
    return (tmp_path / "alone.parquet").read_bytes()


@pytest.mark.parametrize("order", list(itertools.permutations(range(OF))))
def test_in_any_order_the_last_part_joins_the_same_bytes(
    part: Callable[..., PartResult], alone: bytes, tmp_path: Path, order: tuple[int, ...]
):
    *first, last = order
    assert [part(index).joined for index in first] == [None, None]
    assert not (tmp_path / "out.parquet").exists()
    joined = part(last).joined
    assert joined is not None
    assert joined.rows == 25
    assert sum(joined.predictions.values()) == 25
    assert joined.defaulted == {"monthly_charges": int(customer_table()["monthly_charges"].isna().sum())}
    assert (tmp_path / "out.parquet").read_bytes() == alone
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["lock"]


@pytest.mark.parametrize("kill_at", range(1, 11))
def test_killed_anywhere_no_row_is_lost_or_doubled(
    part: Callable[..., PartResult], alone: bytes, tmp_path: Path, monkeypatch: Any, kill_at: int
):
    """The table's 7 chunks and the target are 8 published files; kills 9 and 10 come after the last."""
    published = itertools.count(1)
    publish = ParquetSink.publish

    def publish_or_die(sink: ParquetSink) -> None:
        if next(published) == kill_at:
            raise Killed
        publish(sink)

    monkeypatch.setattr(ParquetSink, "publish", publish_or_die)
    # SIGKILL tidies nothing up.
    monkeypatch.setattr(ParquetSink, "discard", lambda sink: None)
    kills = 0
    results = []
    for index in range(OF):
        while True:
            try:
                results.append(part(index, run="job-1"))
                break
            except Killed:
                kills += 1
    assert kills == (kill_at <= 8)
    assert results[-1].joined is not None
    assert results[-1].joined.rows == 25
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert frame["customer_id"].astype(int).tolist() == list(range(25))
    assert (tmp_path / "out.parquet").read_bytes() == alone


def test_a_killed_part_goes_on_behind_its_last_chunk(
    part: Callable[..., PartResult], tmp_path: Path, monkeypatch: Any
):
    left = iter([True, False])
    publish = ParquetSink.publish

    def once(sink: ParquetSink) -> None:
        if not next(left):
            raise Killed
        publish(sink)

    with monkeypatch.context() as patched:
        patched.setattr(ParquetSink, "publish", once)
        with pytest.raises(Killed):
            part(0, run="job-1")
    # Part 0 has the chunks 0, 3 and 6 of 4, 4 and 1 rows.
    again = part(0, run="job-1")
    assert (again.found, again.predicted) == (4, 5)


def test_a_pod_after_the_joining_has_nothing_to_do(part: Callable[..., PartResult], tmp_path: Path):
    results = [part(index, run="job-1") for index in range(OF)]
    (tmp_path / "out.parquet").unlink()
    late = part(1, run="job-1")
    assert (late.predicted, late.found, late.joined) == (0, 0, results[-1].joined)
    assert not (tmp_path / "out.parquet").exists()
    # Another Job is not the one that is done.
    assert [part(index, run="job-2").joined is None for index in range(OF)] == [True, True, False]
    assert (tmp_path / "out.parquet").exists()


def test_the_target_can_be_a_table_of_a_database(part: Callable[..., PartResult], tmp_path: Path):
    target = f"sqlite:///{tmp_path / 'out.db'}#predictions"
    for index in range(OF):
        part(index, target=target)
    with sqlite3.connect(tmp_path / "out.db") as database:
        assert database.execute(
            "select count(*), count(distinct customer_id) from predictions"
        ).fetchall() == [(25, 25)]
    with pytest.raises(JobError, match="--parts"):
        batch_parts.default_folder(target)


def test_a_database_that_gives_each_part_another_order_is_found_out(artifact: Artifact, tmp_path: Path):
    with sqlite3.connect(tmp_path / "in.db") as database:
        customer_table().to_sql("customers", database, index=False)
    # Each reading has an order of its own, as a query without ORDER BY may.
    source = f"sqlite:///{tmp_path / 'in.db'}#SELECT * FROM customers ORDER BY random()"

    def run(index: int) -> PartResult:
        return batch_parts.run_part(
            str(artifact[0]), source, str(tmp_path / "out.csv"), settings_in(tmp_path), index=index, of=2,
            parts=tmp_path / "parts", chunk_rows=CHUNK,
        )  # fmt: skip

    assert run(0).joined is None
    with pytest.raises(JobError, match="ORDER BY a unique key"):
        run(1)
    assert not (tmp_path / "out.csv").exists()
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["lock"]


def test_a_bad_row_in_any_part_leaves_the_target_alone(
    part: Callable[..., PartResult], source: Path, tmp_path: Path
):
    frame = customer_table()
    frame.loc[9, "tenure_months"] = -1
    frame.to_csv(source, index=False)
    said = []
    for index in range(OF):
        try:
            assert part(index).joined is None
        except JobError as error:
            said.append(str(error))
    assert len(said) == 1
    assert "row 10: tenure_months" in said[0]
    assert not (tmp_path / "out.parquet").exists()


def test_a_source_that_changes_meanwhile_is_not_mixed(
    part: Callable[..., PartResult], source: Path, tmp_path: Path
):
    part(0)
    part(1)
    customer_table().iloc[::-1].to_csv(source, index=False)
    # What the others did is the answer to another table.
    assert part(2).joined is None
    assert [part(index).joined is None for index in range(2)] == [True, False]
    assert pd.read_parquet(tmp_path / "out.parquet")["customer_id"].astype(int).tolist() == list(
        range(24, -1, -1)
    )


@pytest.mark.parametrize(("index", "of"), [(-1, 3), (3, 3), (0, 0)])
def test_an_index_that_is_none_is_refused(part: Callable[..., PartResult], index: int, of: int):
    with pytest.raises(JobError, match="--index"):
        part(index, of=of)


def test_more_parts_than_chunks(part: Callable[..., PartResult], alone: bytes, tmp_path: Path):
    results = [part(index, of=9) for index in range(9)]
    assert [result.predicted for result in results] == [4, 4, 4, 4, 4, 4, 1, 0, 0]
    assert (tmp_path / "out.parquet").read_bytes() == alone


def test_as_the_command_line_says_it(
    artifact: Artifact, source: Path, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SERINUS_JOB_UID", "uid-1")
    said = []
    for index in range(2):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        words = ["batch", "--artifact", str(artifact[0]), "--source", str(source), "--of", "2"]
        with pytest.raises(SystemExit, match="0"):
            cli.main([*words, "--target", str(tmp_path / "out.csv"), "--keep", "customer_id"])
        said.append(capsys.readouterr().out.splitlines()[:2])
    revision = artifact[1].revision
    # 25 rows are one chunk of the usual size, and that is part 0's; it joins what there is.
    assert said[0][0] == "part 0 of 2: 25 rows predicted, 0 found predicted"
    assert said[0][1].startswith(f"25 rows predicted by revision {revision}: ")
    assert said[1] == ["part 1 of 2: 0 rows predicted, 0 found predicted", said[0][1]]
    assert len(pd.read_csv(tmp_path / "out.csv")) == 25
