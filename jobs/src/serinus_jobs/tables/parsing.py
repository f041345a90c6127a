"""From cells as a source holds them to columns of a declared type.

Pure. A cell that cannot be read is never guessed: it is null in the result and has a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

ColumnType = Literal["int64", "float64", "bool", "string", "timestamp"]
Mask = npt.NDArray[np.bool_]

# The one column type of pandas for each declared type; all of them know null.
DTYPES: dict[ColumnType, Any] = {
    "int64": pd.Int64Dtype(),
    "float64": pd.Float64Dtype(),
    "bool": pd.BooleanDtype(),
    "string": pd.StringDtype(),
    "timestamp": pd.DatetimeTZDtype("us", "UTC"),
}
_WHOLE = r"[+-]?[0-9]{1,19}(?:\.0*)?"
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_ZONE = r".*(?:[zZ]|[+-][0-9]{2}(?::?[0-9]{2})?)"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].+)?"
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
# Seconds before 1973 or of fewer digits could as well be dates (20260101), so they are refused; numbers
# of 1e11 and more are milliseconds. Beyond the year 2255 there is no moment that pandas could hold.
_FIRST_EPOCH, _FIRST_MILLISECONDS, _LAST_SECONDS = 1e8, 1e11, 9e9


@dataclass(frozen=True)
class Parsed:
    """`values` has the type of DTYPES. `bad` marks the cells that could not be read (null in `values`),
    all for the same `reason`. `without_zone` counts timestamps that named no zone and were taken as
    UTC."""

    values: "pd.Series[Any]"
    bad: Mask
    reason: str
    without_zone: int = 0


def parse_column(cells: "pd.Series[Any]", kind: ColumnType) -> Parsed:
    """Read a column of cells: text, numbers, Python or Arrow values, mixed or not."""
    cells = cells.reset_index(drop=True)
    null = cells.isna().to_numpy(dtype=bool)
    if kind == "timestamp":
        return _timestamps(cells, null)
    parser, reason = _PARSERS[kind]
    values = parser(cells)
    return Parsed(values, values.isna().to_numpy(dtype=bool) & ~null, reason)


def _strings(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    if not types.is_object_dtype(cells.dtype) and not types.is_string_dtype(cells.dtype):
        return pd.Series(pd.NA, index=cells.index, dtype=pd.StringDtype())
    return cells.where(_of_type(cells, str), None).astype(pd.StringDtype())


def _integers(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    if types.is_signed_integer_dtype(cells.dtype):
        return cells.astype(pd.Int64Dtype())
    text = _texts(cells)
    whole = text.str.fullmatch(_WHOLE, na=False)
    digits = text.where(whole, None).str.replace(r"\.0*$", "", regex=True)
    numbers = [int(each) if isinstance(each, str) else None for each in digits]
    within = [each if each is not None and -(2**63) <= each < 2**63 else None for each in numbers]
    return pd.Series(pd.array(within, dtype="Int64"), index=cells.index)


def _floats(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    if types.is_float_dtype(cells.dtype):
        return cells.astype(pd.Float64Dtype())
    text = _texts(cells)
    number = text.str.fullmatch(_NUMBER, na=False)
    # float() of Python rounds correctly; pandas' own reader may be off by one in the last place.
    values = text.where(number, None).map(float, na_action="ignore").to_numpy(np.float64, na_value=np.nan)
    return pd.Series(values, index=cells.index).astype(pd.Float64Dtype())


def _booleans(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    if types.is_bool_dtype(cells.dtype):
        return cells.astype(pd.BooleanDtype())
    texts = cells.map(lambda cell: str(cell) if isinstance(cell, bool) else _text(cell), na_action="ignore")
    return texts.astype(object).str.lower().map(_BOOLEANS).astype(pd.BooleanDtype())


def _texts(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return numbers as their text and text without blanks around it; all else as null."""
    if types.is_bool_dtype(cells.dtype):
        return pd.Series(None, index=cells.index, dtype=object)
    if types.is_numeric_dtype(cells.dtype):
        return cells.astype(object).where(cells.notna(), None).map(repr_number, na_action="ignore")
    return cells.map(_text, na_action="ignore").astype(object)


def _text(cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool | np.bool_ | bytes) or not hasattr(cell, "__float__"):
        return None
    return repr_number(cell)


def repr_number(value: Any) -> str:
    """Return a number's exact text: of an integer its digits, of anything else that of its double."""
    if isinstance(value, int | np.integer):
        return str(int(value))
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e18 else repr(number)


def _timestamps(cells: "pd.Series[Any]", null: Mask) -> Parsed:
    reason = "is not a time; write ISO 8601 (2026-01-31T12:00:00Z) or seconds since 1970"
    if types.is_datetime64_any_dtype(cells.dtype):
        naive = cells.dt.tz is None
        values = pd.to_datetime(cells, utc=True).astype(DTYPES["timestamp"])
        return Parsed(values, np.zeros(len(cells), dtype=bool), reason, int((~null).sum()) if naive else 0)
    text = cells.map(_moment_text, na_action="ignore").astype(object)
    iso = text.str.fullmatch(_ISO, na=False)
    stamps = pd.to_datetime(text.where(iso, None), format="ISO8601", utc=True, errors="coerce")
    zoned = text.str.fullmatch(r"[^T ]+[T ].*?" + _ZONE[2:], na=False)
    numeric = text.str.fullmatch(_NUMBER, na=False)
    seconds = pd.to_numeric(text.where(numeric, None), errors="coerce").astype(np.float64)
    early = seconds < _FIRST_EPOCH
    seconds = seconds.where(seconds < _FIRST_MILLISECONDS, seconds / 1000.0)
    seconds = seconds.where(~early & (seconds <= _LAST_SECONDS))
    micros = (seconds * 1e6).round().astype("Int64")
    epochs = pd.to_datetime(micros.astype(object).where(micros.notna(), None), unit="us", utc=True)
    values = stamps.fillna(epochs).astype(DTYPES["timestamp"])
    bad = values.isna().to_numpy(dtype=bool) & ~null
    return Parsed(values, bad, reason, int((iso & ~zoned & stamps.notna()).sum()))


def _moment_text(cell: Any) -> str | None:
    return cell.isoformat() if hasattr(cell, "isoformat") else _text(cell)


def _of_type(cells: "pd.Series[Any]", kind: type) -> "pd.Series[bool]":
    return cells.map(lambda cell: isinstance(cell, kind)).astype(bool)


_PARSERS: dict[ColumnType, tuple[Callable[["pd.Series[Any]"], "pd.Series[Any]"], str]] = {
    "string": (_strings, "is not text"),
    "int64": (_integers, "is not a whole number of 64 bits"),
    "float64": (_floats, "is not a number"),
    "bool": (_booleans, "is not true or false"),
}
