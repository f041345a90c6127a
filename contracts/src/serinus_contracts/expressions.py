"""On-demand features, declared once as expressions.

    usage_vs_avg: monthly_charges / (total_charges / tenure_months)

An expression is Python's arithmetic on named values: + - * / // %, comparisons, `and`, `or`, `not`,
`a if c else b`, and the functions abs, min, max, float, int. Nothing else parses, so a declaration
carries no code. Both the store's on-demand view and the server evaluate it through `compiled`.

Null in, null out; a division by zero, a result that is not finite, or an operation that its values do
not have (a number below a text) is null too. The declared default of the model's input then applies.

Arithmetic is of numbers. Python would repeat, join and format text by * + %, and a stored text times a
large number would fill the memory; so text that could reach such an operand is null, unread, and a text
written there is refused when it is declared.
"""

import ast
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from serinus_contracts.errors import ContractError

FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "float": float, "int": int}
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Name, ast.Load,
    ast.Constant, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd,
    ast.Not, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.Call,
)  # fmt: skip
_LONGEST = 500
_SEQUENCES = (str, bytes, list, tuple)

Value = float | int | bool | str | None


def names(expression: str) -> tuple[str, ...]:
    """Return the names that `expression` reads, in order of first use."""
    found = [node for node in ast.walk(_parsed(expression)) if isinstance(node, ast.Name)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return tuple(dict.fromkeys(node.id for node in found if node.id not in FUNCTIONS))


@lru_cache(maxsize=256)
def compiled(expression: str) -> Callable[..., Value]:
    """Return a function of the expression's names, positional in the order of `names(expression)`.

    Raises ContractError, with the column, for anything outside the grammar.
    """
    tree = _parsed(expression)
    arguments = names(expression)
    code = compile(_as_function(tree, arguments), "<expression>", "eval")
    function = eval(code, {"__builtins__": {}, **FUNCTIONS})  # noqa: S307  the grammar above is closed
    operands = {node.id for node in _operands(tree) if isinstance(node, ast.Name)}
    numeric = tuple(i for i, name in enumerate(arguments) if name in operands)

    def evaluate(*values: Value) -> Value:
        for value in values:
            if value is None or value != value:
                return None
        for i in numeric:
            if isinstance(values[i], _SEQUENCES):
                return None
        try:
            result = function(*values)
        except (ZeroDivisionError, OverflowError, TypeError, ValueError):
            return None
        if isinstance(result, float) and not math.isfinite(result):
            return None
        return result  # type: ignore[no-any-return]

    return evaluate


@lru_cache(maxsize=256)
def typed(expression: str, value_type: str) -> Callable[..., Value]:
    """As `compiled`, with the result as `value_type` (DOUBLE, INT64, BOOL or STRING, Feast's names).

    A result that the type cannot hold (a fraction as INT64, text as DOUBLE) is null. Raises
    ContractError for another type.
    """
    convert = _CONVERSIONS.get(value_type)
    if convert is None:
        raise ContractError(f"on-demand type {value_type!r}; types are {', '.join(_CONVERSIONS)}")
    evaluate = compiled(expression)

    def evaluate_typed(*values: Value) -> Value:
        result = evaluate(*values)
        try:
            return None if result is None else convert(result)
        except OverflowError:
            return None

    return evaluate_typed


def _as_double(value: Value) -> float | None:
    if type(value) is float:
        return value
    return float(value) if isinstance(value, int | float) else None


def _as_int64(value: Value) -> int | None:
    if isinstance(value, int | float) and float(value).is_integer() and abs(value) < 2**63:
        return int(value)
    return None


def _as_bool(value: Value) -> bool | None:
    return value if isinstance(value, bool) else None


def _as_string(value: Value) -> str | None:
    return value if isinstance(value, str) else None


_CONVERSIONS: dict[str, Callable[[Value], Value]] = {
    "DOUBLE": _as_double, "INT64": _as_int64, "BOOL": _as_bool, "STRING": _as_string,
}  # fmt: skip


def _operands(tree: ast.AST) -> Iterator[ast.Name | ast.Constant]:
    """Yield the names and constants whose own value may become an operand of + * %; the other operations
    know no text and raise TypeError by themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult | ast.Mod):
            yield from _reaching(node.left)
            yield from _reaching(node.right)


def _reaching(node: ast.expr) -> Iterator[ast.Name | ast.Constant]:
    # What is not listed gives a number or a bool, or raises TypeError, whatever goes in.
    if isinstance(node, ast.Name | ast.Constant):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from _reaching(node.body)
        yield from _reaching(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from _reaching(each)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
        for each in node.args:
            yield from _reaching(each)


def _as_function(tree: ast.Expression, arguments: tuple[str, ...]) -> ast.Expression:
    parameters = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(arg=name) for name in arguments],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    wrapped = ast.Expression(body=ast.Lambda(args=parameters, body=tree.body))
    return ast.fix_missing_locations(wrapped)


def _parsed(expression: str) -> ast.Expression:
    if len(expression) > _LONGEST:
        raise ContractError(f"expression is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ContractError(f"expression {expression!r} does not parse: {error}") from None
    for node in ast.walk(tree):
        place = f"column {getattr(node, 'col_offset', 0) + 1} of {expression!r}"
        if not isinstance(node, _NODES):
            raise ContractError(f"{type(node).__name__} is not allowed in an expression, {place}")
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords
        ):
            raise ContractError(f"only {', '.join(FUNCTIONS)} may be called, {place}")
        if isinstance(node, ast.Name) and node.id.startswith("__"):
            raise ContractError(f"name {node.id!r} is not allowed, {place}")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str | None):
            raise ContractError(f"{type(node.value).__name__} is no constant of an expression, {place}")
    for node in _operands(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            raise ContractError(
                f"arithmetic is of numbers, not of {node.value!r}; column {node.col_offset + 1} of "
                f"{expression!r}"
            )
    return tree
