"""Cells of any source as columns of a declared type: a table of what is read and what is refused."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_jobs.tables.parsing import DTYPES, parse_column

NOON = pd.Timestamp("2026-01-31T12:00:00Z")
BAD = object()


def parsed(cell: Any, kind: Any) -> Any:
    """Return the value, None for a null, BAD for a refused cell, of one cell in an object column."""
    found = parse_column(pd.Series([cell], dtype=object), kind)
    assert found.values.dtype == DTYPES[kind]
    if found.bad[0]:
        assert pd.isna(found.values[0])
        return BAD
    return None if pd.isna(found.values[0]) else found.values[0]


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("int64", "7", 7),
        ("int64", " -7 ", -7),
        ("int64", "7.0", 7),
        ("int64", "9223372036854775807", 2**63 - 1),
        ("int64", "9223372036854775808", BAD),
        ("int64", "7.5", BAD),
        ("int64", "1e3", BAD),
        ("int64", "", BAD),
        ("int64", "0x10", BAD),
        ("int64", "٣", BAD),
        ("int64", 7.0, 7),
        ("int64", 7.5, BAD),
        ("int64", float("inf"), BAD),
        ("int64", True, BAD),
        ("int64", Decimal("8"), 8),
        ("int64", b"1", BAD),
        ("int64", None, None),
        ("float64", "1.5e3", 1500.0),
        ("float64", ".5", 0.5),
        ("float64", 3, 3.0),
        ("float64", Decimal("1.10"), 1.1),
        ("float64", "1e999", float("inf")),  # refused as not finite by the schema
        ("float64", "nan", BAD),
        ("float64", "Infinity", BAD),
        ("float64", "1_000", BAD),
        ("float64", "1,5", BAD),
        ("float64", True, BAD),
        ("float64", [1.0], BAD),
        ("float64", None, None),
        ("bool", "TRUE", True),
        ("bool", "0", False),
        ("bool", 1, True),
        ("bool", False, False),
        ("bool", 2, BAD),
        ("bool", "yes", BAD),
        ("bool", None, None),
        ("string", "ä", "ä"),
        ("string", "", ""),
        ("string", 3, BAD),
        ("string", b"x", BAD),
        ("string", None, None),
        ("timestamp", "2026-01-31T12:00:00Z", NOON),
        ("timestamp", "2026-01-31T14:00:00+02:00", NOON),
        ("timestamp", "2026-01-31 12:00", NOON),
        ("timestamp", "1769860800", NOON),
        ("timestamp", "1769860800000", NOON),
        ("timestamp", 1769860800, NOON),
        ("timestamp", dt.datetime.fromisoformat("2026-01-31T12:00:00"), NOON),
        ("timestamp", dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), NOON),
        ("timestamp", "20260131", BAD),  # a date or seconds of 1970: never guessed
        ("timestamp", "31/01/2026", BAD),
        ("timestamp", "2026-02-30", BAD),
        ("timestamp", "9999-01-01", BAD),
        ("timestamp", "9000000000", pd.Timestamp("2255-03-14T16:00:00Z")),
        ("timestamp", "9000000001", BAD),  # no moment that can be stored, and too few digits for milliseconds
        ("timestamp", 28476694017, BAD),
        ("timestamp", "99999999999", BAD),
        ("timestamp", "100000000000", pd.Timestamp("1973-03-03T09:46:40Z")),
        ("timestamp", "soon", BAD),
        ("timestamp", True, BAD),
        ("timestamp", "1e999", BAD),
        ("timestamp", None, None),
    ],
)
def test_a_cell_is_read_or_refused(kind: str, cell: Any, expected: Any):
    found = parsed(cell, kind)
    assert found is expected if expected is BAD else found == expected


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        (pd.Series([1, 2], dtype="int32"), "int64", [1, 2]),
        (pd.Series([1.0, np.nan, 2.5]), "int64", [1, None, BAD]),
        (pd.Series([2**63, 1], dtype="uint64"), "int64", [BAD, 1]),
        (pd.Series([1, None], dtype="Int64"), "float64", [1.0, None]),
        (pd.Series([True, False]), "float64", [BAD, BAD]),
        (pd.Series([True, None], dtype="boolean"), "bool", [True, None]),
        (pd.Series([1, 5]), "bool", [True, BAD]),
        (pd.Series([1, 2]), "string", [BAD, BAD]),
        (pd.Series(["a", None], dtype="string"), "string", ["a", None]),
        (pd.Series([1769860800.25]), "timestamp", [NOON + pd.Timedelta(milliseconds=250)]),
        (pd.to_datetime(pd.Series(["2026-01-31T12:00:00Z", None])), "timestamp", [NOON, None]),
    ],
)
def test_typed_columns(cells: Any, kind: Any, expected: list[Any]):
    found = parse_column(cells, kind)
    shown = [
        BAD if bad else None if pd.isna(value) else value
        for value, bad in zip(found.values, found.bad, strict=True)
    ]
    assert shown == expected


def test_timestamps_without_a_zone_are_counted():
    text = pd.Series(
        ["2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z", "1769860800", "soon", None]
    )
    assert parse_column(text.astype(object), "timestamp").without_zone == 2
    assert parse_column(pd.to_datetime(pd.Series(["2026-01-31", None])), "timestamp").without_zone == 1


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_every_integer_survives_its_text(numbers: list[int | None]):
    cells = pd.Series([None if n is None else str(n) for n in numbers], dtype=object)
    found = parse_column(cells, "int64")
    assert [None if pd.isna(v) else v for v in found.values] == numbers
    assert not found.bad.any()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_every_double_survives_its_text(numbers: list[float]):
    found = parse_column(pd.Series([repr(n) for n in numbers], dtype=object), "float64")
    assert found.values.tolist() == numbers
    assert not found.bad.any()


@given(st.integers(-8_500_000_000_000_000, 7_200_000_000_000_000))
def test_every_moment_survives_its_text(microseconds: int):
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
    found = parse_column(pd.Series([moment.isoformat()], dtype=object), "timestamp")
    assert found.values[0] == moment


@settings(max_examples=50)
@given(st.lists(st.text() | st.integers() | st.floats() | st.binary() | st.booleans() | st.none()))
def test_no_cell_makes_a_parser_raise(cells: list[Any]):
    for kind in DTYPES:
        found = parse_column(pd.Series(cells, dtype=object), kind)
        assert len(found.values) == len(found.bad) == len(cells)
