"""From a table to the graph's matrix: the contract's inputs, defaults filled, one column each.

The same rules as serinus_contracts.encoding.RowEncoder, by column instead of by row: training and the
batch verb see exactly what the server sees. A test holds the two equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from serinus_contracts.artifact import Input
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError

# Beyond this a double no longer holds every integer.
_LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class EncodedFrame:
    """`matrix` is [rows, features] of float64 in the contract's order. `faults` maps the position of a
    row that no server would accept to the reason; such a row holds NaN where it is at fault.
    `defaulted` counts the values that a default filled, by feature."""

    matrix: npt.NDArray[np.float64]
    faults: dict[int, str]
    defaulted: dict[str, int]


def encode_frame(frame: pd.DataFrame, inputs: Sequence[Input]) -> EncodedFrame:
    """Encode all rows of `frame`; columns that are no input are ignored.

    Null is None, NaN or NA. An absent column is a column of nulls. Never raises for a bad value: it is
    reported in `faults`, the first fault of a row wins.
    """
    matrix = np.empty((len(frame), len(inputs)), dtype=np.float64)
    faults: dict[int, str] = {}
    defaulted: dict[str, int] = {}
    for column, each in enumerate(inputs):
        encoder = RowEncoder((each,))
        if each.name in frame:
            series = frame[each.name]
        else:
            series = pd.Series(np.full(len(frame), np.nan), index=frame.index)
        null = series.isna().to_numpy(dtype=bool)
        values, bad = _vectorised(series, null, each) or _by_value(series, null, encoder)
        if each.default is None:
            bad = bad | null
        elif null.any():
            values = np.where(null, encoder.encode_list([None])[0][0], values)
            defaulted[each.name] = int(null.sum())
        values = np.where(bad, np.nan, values)
        matrix[:, column] = values
        for position in np.flatnonzero(bad):
            if int(position) not in faults:
                faults[int(position)] = _reason(encoder, None if null[position] else series.iloc[position])
    return EncodedFrame(matrix, faults, defaulted)


_Columns = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def _vectorised(series: pd.Series, null: npt.NDArray[np.bool_], each: Input) -> _Columns | None:
    """Return (values, bad) for the usual column types, None for the others (mixed objects)."""
    kind = series.dtype
    if each.dtype == "string":
        return _strings(series, null, each.allowed) if _holds_only(series, null, str) else None
    if each.dtype == "bool":
        if not pd.api.types.is_bool_dtype(kind):
            return None
        return series.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(series), dtype=bool)
    if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind):
        return None
    if pd.api.types.is_complex_dtype(kind):
        return None
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if each.minimum is not None:
        bad |= values < each.minimum
    if each.maximum is not None:
        bad |= values > each.maximum
    if pd.api.types.is_integer_dtype(kind):
        # Compared as integers: 2^53 + 1 as a double is 2^53.
        whole = series.to_numpy(dtype=np.int64, na_value=0) if not null.all() else np.zeros(len(series))
        bad |= (whole > _LARGEST_INTEGER) | (whole < -_LARGEST_INTEGER)
    elif each.dtype == "int64":
        with np.errstate(invalid="ignore"):
            bad |= values != np.floor(values)
    return values, bad & ~null


def _holds_only(series: pd.Series, null: npt.NDArray[np.bool_], kind: type) -> bool:
    return all(type(value) is kind for value in series[~null])


def _strings(series: pd.Series, null: npt.NDArray[np.bool_], allowed: Sequence[str]) -> _Columns:
    codes = {value: float(i) for i, value in enumerate(allowed)}
    values: npt.NDArray[np.float64] = np.asarray(series.astype(object).map(codes), dtype=np.float64)
    return values, np.isnan(values) & ~null


def _by_value(series: pd.Series, null: npt.NDArray[np.bool_], encoder: RowEncoder) -> _Columns:
    values = np.full(len(series), np.nan)
    bad = np.zeros(len(series), dtype=bool)
    for position in np.flatnonzero(~null):
        try:
            values[position] = encoder.encode_list([_plain(series.iloc[position])])[0][0]
        except ContractError:
            bad[position] = True
    return values, bad


def _plain(value: object) -> object:
    """Return numpy's scalars as Python's, which the contract's encoder tells apart by type."""
    item: Callable[[], object] | None = getattr(value, "item", None)
    return item() if isinstance(value, np.generic) and item is not None else value


def _reason(encoder: RowEncoder, value: object) -> str:
    try:
        encoder.encode_list([_plain(value)])
    except ContractError as error:
        return str(error)
    raise AssertionError("a value was refused by column that is valid by row")
