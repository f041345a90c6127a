"""From a chunk of any table to the graph's matrix: read by type, on-demand features computed, encoded.

Pure. Built once a run, used for every chunk.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from serinus_contracts.artifact import Input, ModelContract
from serinus_contracts.expressions import names, typed
from serinus_contracts.plan import OnDemand
from serinus_jobs.errors import JobError
from serinus_jobs.matrix import EncodedFrame, encode_frame
from serinus_jobs.tables.parsing import ColumnType, parse_column
from serinus_jobs.tables.source import Chunk

_SHOWN = 10  # bad rows that a message names
_FEAST_TYPES: dict[str, ColumnType] = {
    "INT32": "int64",
    "INT64": "int64",
    "BOOL": "bool",
    "STRING": "string",
}


class RowReader:
    """Reads the rows of one table for one model.

    Raises JobError where `columns` lacks an input that is neither computed nor in `optional`.
    """

    def __init__(
        self, contract: ModelContract, columns: Sequence[str], optional: Sequence[str], place: str
    ) -> None:
        self._inputs: tuple[Input, ...] = contract.inputs
        self._place = place
        declared = {each.name: each for each in contract.inputs}
        for name in optional:
            if name not in declared or declared[name].default is None:
                raise JobError(f"--optional {name}: is no input of the model with a default")
        self._computed = _computable(contract, columns)
        ready = {*columns, *optional, *(each.name for each in self._computed)}
        missing = [name for name in declared if name not in ready]
        if missing:
            raise JobError(
                f"{place}: lacks {', '.join(missing)}; it has {', '.join(columns)}. Add the columns, or name "
                "those that have a default with --optional"
            )
        operands = [name for each in self._computed for name in names(each.expression)]
        types = _types(contract)
        # What the table does not hold is computed, or optional and so a column of nulls.
        self._read = {
            name: types.get(name, "float64")
            for name in dict.fromkeys([*declared, *operands])
            if name in columns
        }

    def encode(self, chunk: Chunk) -> EncodedFrame:
        """Return the encoded chunk, without faults.

        Raises JobError naming the first bad rows by the source's row number, with feature and reason.
        """
        faults: dict[int, str] = dict(chunk.broken)
        frame = pd.DataFrame(index=chunk.frame.index)
        for name, kind in self._read.items():
            parsed = parse_column(chunk.frame[name], kind)
            frame[name] = parsed.values
            for row in np.flatnonzero(parsed.bad).tolist():
                faults.setdefault(row, f"{name}: {chunk.frame[name].iat[row]!r:.60} {parsed.reason}")
        for each in self._computed:
            frame[each.name] = _values(frame, each)
        encoded = encode_frame(frame, self._inputs)
        faults = {**encoded.faults, **faults}
        if faults:
            first = sorted(faults)[:_SHOWN]
            named = "; ".join(f"row {chunk.first + row}: {faults[row]}" for row in first)
            more = f"; {len(faults) - len(first)} more follow" if len(faults) > len(first) else ""
            raise JobError(f"{self._place}: {named}{more}. Nothing was written")
        return encoded


def _computable(contract: ModelContract, columns: Sequence[str]) -> tuple[OnDemand, ...]:
    """Return the on-demand features that are not in the table and can be computed from it, in order."""
    ready = set(columns)
    found = []
    for each in contract.plan.on_demand if contract.plan else ():
        if each.name not in ready and set(names(each.expression)) <= ready:
            ready.add(each.name)
            found.append(each)
    return tuple(found)


def _types(contract: ModelContract) -> dict[str, ColumnType]:
    """Return the type of each value by name; what only a request gives counts as a number."""
    types: dict[str, ColumnType] = {}
    for view in contract.plan.views if contract.plan else ():
        types |= {each.name: _FEAST_TYPES.get(each.value_type, "float64") for each in view.features}
    return types | {each.name: each.dtype for each in contract.inputs}


def _values(frame: pd.DataFrame, feature: OnDemand) -> "pd.Series[Any]":
    evaluate = typed(feature.expression, feature.value_type)
    columns = [frame[name].astype(object) for name in names(feature.expression)]
    plain = [column.where(column.notna(), None) for column in columns]
    values = [evaluate(*row) for row in zip(*plain, strict=True)]
    if all(value is None or type(value) in (int, float) for value in values):
        return pd.Series(values, index=frame.index, dtype="Float64")
    return pd.Series(values, index=frame.index, dtype=object)
