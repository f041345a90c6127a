"""Ingest: every row read is written or quarantined, once, whatever the kind of source."""

import sqlite3
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.support.tables import DATA, GOOD, HEADER, Place

from serinus_jobs import cli


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_good_rows_go_to_day_partitions_in_declared_types(place: Place):
    result = place.run(place.csv(HEADER + GOOD))
    assert (result.read, result.written, result.quarantined) == (2, 2, 0)
    assert result.partitions == ("day=2026-01-31", "day=2026-02-01")
    assert result.quarantine is None
    files = sorted(place.settings.events("events").rglob("*.parquet"))
    assert [path.parent.name for path in files] == list(result.partitions)
    schema = {field.name: str(field.type) for field in pq.read_schema(files[0])}
    assert schema == {
        "id": "int64",
        "at": "timestamp[us, tz=UTC]",
        "amount": "double",
        "plan": "string",
        "paid": "bool",
    }


def test_times_without_a_zone_are_taken_as_utc_and_said_so(place: Place):
    result = place.run(place.csv(HEADER + "1,2026-01-31 23:30:00,1,basic,true\n"))
    assert result.partitions == ("day=2026-01-31",)
    assert result.notes == ("at: 1 times without a zone were taken as UTC",)


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
def test_a_key_counts_once_across_chunks(place: Place, chunk_rows: int):
    rows = (
        "1,2026-01-31T12:00:00Z,500,basic,\n"  # bad, so its key stays free
        "1,2026-01-31T12:00:00Z,5,basic,\n"
        "2,2026-01-31T12:00:00Z,5,basic,\n"
        "1,2026-01-31T13:00:00+01:00,6,plus,\n"  # the same moment
    )
    result = place.run(place.csv(HEADER + rows), chunk_rows=chunk_rows)
    assert (result.read, result.written, result.quarantined) == (4, 2, 2)
    assert [line["reasons"] for line in place.refused(result)] == [
        ["amount: 500.0 is above 100"],
        ["id, at: the same as in row 2"],
    ]


def test_a_key_that_another_source_brought_is_refused(place: Place):
    place.run(place.csv(HEADER + GOOD))
    more = GOOD.splitlines(keepends=True)[0] + "3,2026-01-31T12:00:00Z,1,basic,true\n"
    result = place.run(place.csv(HEADER + more, "more.csv"))
    assert (result.written, result.quarantined) == (1, 1)
    assert place.refused(result)[0]["reasons"] == ["id, at: the same as in a row that is already stored"]
    assert sorted(place.stored()["id"]) == [1, 2, 3]


def test_a_key_without_the_time_counts_over_all_days(place: Place):
    place.run(place.csv("id,at\n1,2026-01-31\n"), "keyed")
    result = place.run(place.csv("id,at\n1,2026-03-01\n2,2026-03-01\n", "b.csv"), "keyed")
    assert (result.written, result.quarantined) == (1, 1)


def test_the_same_source_again_changes_no_byte(place: Place):
    source = place.csv(HEADER + GOOD + "0,x,,,\n")
    first = place.run(source)
    before = place.files()
    assert place.run(source) == first
    assert place.files() == before


def test_the_digest_knows_content_and_not_order(place: Place):
    lines = GOOD.splitlines(keepends=True)
    digests = [
        Place(place.root / name).run(place.csv(HEADER + "".join(rows), f"{name}.csv"), chunk_rows=1).digest
        for name, rows in {"a": lines, "b": lines[::-1], "c": lines[:1]}.items()
        if (place.root / name).mkdir() is None
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_stricter_declaration_takes_back_what_it_no_longer_accepts(place: Place):
    source = place.csv(HEADER + GOOD)
    place.run(source)
    (place.model / "data.yaml").write_text(DATA.replace("[basic, plus]", "[basic]"))
    result = place.run(source)
    assert (result.written, result.quarantined) == (1, 1)
    assert place.stored()["id"].tolist() == [1]
    assert not (place.settings.events("events") / "day=2026-02-01/part-0.parquet").exists()


def test_a_table_without_time_has_one_partition(place: Place):
    result = place.run(place.csv("x\n1.5\n2.5\n"), "timeless")
    assert result.partitions == ("day=all",)
    assert place.stored("timeless")["x"].tolist() == [1.5, 2.5]


def test_parquet_and_sql_give_the_same_rows_as_csv(place: Place):
    place.run(place.csv(HEADER + GOOD))
    stored = place.stored()
    parquet = place.root / "in.parquet"
    stored.to_parquet(parquet, index=False)
    database = place.root / "in.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "CREATE TABLE e (id INTEGER PRIMARY KEY, at TEXT, amount REAL, plan TEXT, paid BOOLEAN)"
        )
        connection.execute("INSERT INTO e VALUES (2, '2026-02-01T00:00:00Z', NULL, 'plus', NULL)")
        connection.execute("INSERT INTO e VALUES (1, '2026-01-31T12:00:00Z', 5.5, 'basic', 1)")
    digests = set()
    for name, source in {
        "csv": str(place.root / "in.csv"),
        "parquet": str(parquet),
        "table": f"sqlite:///{database}#e",
        "query": f"sqlite:///{database}#SELECT * FROM e ORDER BY at",
    }.items():
        (place.root / name).mkdir()
        other = Place(place.root / name)
        for chunk_rows in (1, 100):
            digests.add(other.run(source, chunk_rows=chunk_rows).digest)
        pd.testing.assert_frame_equal(other.stored(), stored)
    assert len(digests) == 1


def test_what_ingest_wrote_is_a_source_itself(place: Place):
    first = place.run(place.csv(HEADER + GOOD))
    (place.root / "copy").mkdir()
    again = Place(place.root / "copy").run(str(place.settings.events("events")))
    assert again.digest == first.digest


def test_an_input_that_jumps_between_many_days(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serinus_jobs.partitions._OPEN_WRITERS", 2)
    rows = "".join(f"{i},2026-01-{i % 5 + 1:02d}T00:00:00Z,1,basic,\n" for i in range(1, 31))
    source = place.csv(HEADER + rows)
    first = place.run(source, chunk_rows=7)
    before = place.files()
    assert (first.written, len(first.partitions)) == (30, 5)
    assert sorted(place.stored()["id"]) == list(range(1, 31))
    place.run(source, chunk_rows=7)
    assert place.files() == before


FIELDS = st.sampled_from(
    [
        "1",
        "2",
        "0",
        "",
        "x",
        "2026-01-31",
        "2026-02-01T00:00:00Z",
        "basic",
        "gold",
        "true",
        "5",
        "1e9",
        '"',
        "a,b",
    ]
)


@hypothesis_settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=1, max_size=7), min_size=1, max_size=12), st.integers(1, 5))
def test_read_is_written_plus_quarantined(rows: list[list[str]], chunk_rows: int):
    quoted = [",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        result = place.run(place.csv(HEADER + "\n".join(quoted) + "\n"), chunk_rows=chunk_rows)
        assert result.read == len(rows) == result.written + result.quarantined
        assert len(place.stored()) == result.written
        numbers = [line["row"] for line in place.refused(result)] if result.quarantine else []
        assert len(numbers) == len(set(numbers)) == result.quarantined
        assert all(1 <= number <= len(rows) for number in numbers)
        assert not place.stored().duplicated(["id", "at"]).any() if result.written else True


def test_the_verb_prints_its_counts_and_fails_without_a_good_row(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SERINUS_DATA", str(place.root / "data"))
    arguments = ["ingest", "--model", str(place.model), "--table", "events", "--source"]
    with pytest.raises(SystemExit) as done:
        cli.main([*arguments, place.csv(HEADER + GOOD + "0,2026-01-31,1,basic,true\n")])
    assert done.value.code in (0, None)
    printed = capsys.readouterr()
    assert "read 3 = written 2 + quarantined 1" in printed.out
    assert "1 rows: id: is below 1" in printed.out
    assert "1 times without a zone" in printed.out
    assert printed.err == ""
    with pytest.raises(SystemExit) as done:
        cli.main([*arguments, place.csv(HEADER + "0,2026-01-31,1,basic,true\n")])
    assert done.value.code == 2
    assert "no row keeps the declaration" in capsys.readouterr().err
