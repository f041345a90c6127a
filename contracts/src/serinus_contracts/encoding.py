"""From one row of named values to the graph's row of doubles: validation and defaults, by the contract.

The one definition of what a valid row is: the server, the batch verb and training all keep it.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serinus_contracts.artifact import Input
from serinus_contracts.errors import ContractError

# Beyond this a double no longer holds every integer.
_LARGEST_INTEGER = 2**53


class RowEncoder:
    """Encodes rows for one model. Built once, used for every row."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.names = tuple(each.name for each in inputs)
        self._known = frozenset(self.names)
        self._defaults: tuple[float | None, ...] = tuple(_encoded_default(each) for each in inputs)
        self._converters = tuple(_converter(each) for each in inputs)
        self._plan = tuple(
            (each.name, *_plainly_valid(each), convert, default)
            for each, convert, default in zip(inputs, self._converters, self._defaults, strict=True)
        )

    def encode(self, row: Mapping[str, Any]) -> tuple[list[float], tuple[str, ...]]:
        """Return (the matrix row, names of the values that a default filled).

        Raises ContractError naming the feature: unknown, required and absent, of the wrong type, not
        finite, out of range, not among the allowed.
        """
        values: list[float] = []
        defaulted: tuple[str, ...] = ()
        absent = 0
        get, append = row.get, values.append
        for name, kind, low, high, convert, default in self._plan:
            value: Any = get(name)
            # The plain case first, and without a call: this loop is a good part of a request.
            if type(value) is kind and low <= value <= high:
                append(float(value))
            elif value is not None:
                append(convert(value))
            elif default is None:
                raise ContractError(f"{name}: required, but null or absent")
            else:
                absent += name not in row
                append(default)
                defaulted += (name,)
        if len(values) - absent != len(row):
            unknown = min(str(name) for name in row if name not in self._known)
            raise ContractError(f"{unknown[:64]}: unknown feature; known are {', '.join(self.names)}")
        return values, defaulted

    def encode_list(self, row: Sequence[Any]) -> tuple[list[float], tuple[str, ...]]:
        """As `encode`, for values in the contract's order."""
        if len(row) != len(self.names):
            raise ContractError(f"has {len(row)} values, the model takes {len(self.names)}")
        values: list[float] = []
        defaulted: tuple[str, ...] = ()
        append = values.append
        for value, (name, kind, low, high, convert, default) in zip(row, self._plan, strict=True):
            if type(value) is kind and low <= value <= high:
                append(float(value))
            elif value is not None:
                append(convert(value))
            elif default is None:
                raise ContractError(f"{name}: required, but null")
            else:
                append(default)
                defaulted += (name,)
        return values, defaulted


def _encoded_default(each: Input) -> float | None:
    return None if each.default is None else _converter(each)(each.default)


def _plainly_valid(each: Input) -> tuple[Any, float, float]:
    """Return (type, lowest, highest) of values that need no more checks; no type has none but by converter.

    The bounds are finite, so neither an infinity nor NaN lies between them.
    """
    if each.dtype not in ("int64", "float64"):
        return None, 0.0, 0.0
    kind, edge = (int, _LARGEST_INTEGER) if each.dtype == "int64" else (float, sys.float_info.max)
    low = -edge if each.minimum is None else max(-edge, each.minimum)
    high = edge if each.maximum is None else min(edge, each.maximum)
    return kind, low, high


def _converter(each: Input) -> Callable[[Any], float]:
    name = each.name
    if each.dtype == "string":
        codes = {value: float(i) for i, value in enumerate(each.allowed)}

        def from_string(value: Any) -> float:
            code = codes.get(value) if type(value) is str else None
            if code is None:
                raise ContractError(f"{name}: must be one of {', '.join(each.allowed)}")
            return code

        return from_string
    if each.dtype == "bool":

        def from_bool(value: Any) -> float:
            if type(value) is not bool:
                raise ContractError(f"{name}: must be true or false")
            return 1.0 if value else 0.0

        return from_bool
    low = -math.inf if each.minimum is None else each.minimum
    high = math.inf if each.maximum is None else each.maximum
    integer = each.dtype == "int64"

    def from_number(value: Any) -> float:
        kind = type(value)
        if kind is int:
            if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
                raise ContractError(f"{name}: beyond 2^53, a double cannot hold it")
            number = float(value)
        elif kind is float:
            number = value
            if integer and not number.is_integer():
                raise ContractError(f"{name}: must be a whole number")
        else:
            raise ContractError(f"{name}: must be a {'whole ' if integer else ''}number")
        if not low <= number <= high or number in (math.inf, -math.inf):
            if number != number or number in (math.inf, -math.inf):
                raise ContractError(f"{name}: must be finite")
            raise ContractError(f"{name}: must lie between {low:g} and {high:g}")
        return number

    return from_number
