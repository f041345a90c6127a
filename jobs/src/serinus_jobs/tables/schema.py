"""The check of one chunk against its declaration in `data.yaml`: what each row breaks, in words.

Pandera does the checking of types, ranges, nulls and allowed values; reading the cells comes before
(parsing.py), uniqueness over the whole input after (unique.py).
"""

import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from serinus_jobs.project import Column
from serinus_jobs.tables.parsing import DTYPES, parse_column
from serinus_jobs.tables.source import Chunk

_SHOWN = 60  # characters of a bad value that a reason repeats


@dataclass(frozen=True)
class Checked:
    """`frame` holds all rows of the chunk in declared types and order; `reasons` maps the position of
    each bad row to everything that is wrong with it. `without_zone` counts timestamps taken as UTC,
    by column."""

    frame: pd.DataFrame
    reasons: dict[int, list[str]]
    without_zone: dict[str, int]


class TableSchema:
    """Checks chunks of one declared table. Built once."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._schema = pa.DataFrameSchema(
            {name: pa.Column(DTYPES[c.type], _checks(c), nullable=c.nullable) for name, c in columns.items()},
            strict=True,
        )

    def check(self, chunk: Chunk) -> Checked:
        """Read and check one chunk. Never raises for bad rows."""
        found: defaultdict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        without_zone: dict[str, int] = {}
        series = {}
        for name, column in self._columns.items():
            parsed = parse_column(chunk.frame[name], column.type)
            series[name] = parsed.values
            if parsed.without_zone:
                without_zone[name] = parsed.without_zone
            for row, bad in enumerate(parsed.bad.tolist()):
                if bad:
                    found[row][name].append(f"{_shown(chunk.frame[name].iat[row])} {parsed.reason}")
        frame = pd.DataFrame(series)
        for row, name, reason in self._failures(frame):
            # A cell that could not be read is null for that reason only.
            if not (reason == _NULL and found[row][name]):
                found[row][name].append(reason)
        reasons = {
            row: [f"{name}: {text}" for name in self._columns for text in by_column.get(name, ())]
            for row, by_column in sorted(found.items())
        }
        for row, fault in chunk.broken.items():
            reasons[row] = [fault]
        return Checked(frame, reasons, without_zone)

    def _failures(self, frame: pd.DataFrame) -> list[tuple[int, str, str]]:
        try:
            with warnings.catch_warnings():
                # Pandera puts its own failure cases together in a way that pandas will change one day.
                warnings.simplefilter("ignore", FutureWarning)
                self._schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as errors:
            cases = errors.failure_cases
            assert cases["index"].notna().all(), f"a check of the whole column failed: {cases}"
            return [
                (int(position), str(name), _NULL if check == "not_nullable" else f"{_shown(value)} {check}")
                for position, name, check, value in zip(
                    cases["index"], cases["column"], cases["check"], cases["failure_case"], strict=True
                )
            ]
        return []


_NULL = "is null"


def _checks(column: Column) -> list[pa.Check]:
    checks = []
    if column.type == "float64":
        checks.append(pa.Check(lambda values: values.abs() < np.inf, error="is not finite"))
    if column.min is not None:
        checks.append(pa.Check.ge(column.min, error=f"is below {column.min:g}"))
    if column.max is not None:
        checks.append(pa.Check.le(column.max, error=f"is above {column.max:g}"))
    if column.allowed is not None:
        checks.append(pa.Check.isin(column.allowed, error=f"is none of {', '.join(column.allowed)}"[:200]))
    return checks


def _shown(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
