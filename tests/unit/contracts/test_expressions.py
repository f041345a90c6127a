"""On-demand expressions: what they compute, when they give null, what does not parse."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_contracts.errors import ContractError
from serinus_contracts.expressions import compiled, names, typed


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("a / (b / c)", (50.0, 1000.0, 20), 1.0),
        ("a // b + a % b", (7, 2), 4),
        ("-a + +b - 1", (2, 5), 2),
        ("0.4 if a >= 2 else 0.0", (2,), 0.4),
        ("a if a < b and not c else b", (1, 2, False), 1),
        ("a or b", (0, 3), 3),
        ("min(a, b) + max(a, b) + abs(c)", (1, 2, -3), 6),
        ("float(a) + int(b)", (1, 2.9), 3.0),
        ("0 < a <= 10", (10,), True),
        ("a == 'x'", ("x",), True),
        ("a != b", (1, 2), True),
    ],
)
def test_arithmetic_of_python(expression: str, values: tuple, expected: object):
    assert compiled(expression)(*values) == expected


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a + b", (None, 1)),
        ("a + b", (1, math.nan)),
        ("a / b", (1.0, 0)),
        ("a // b", (1, 0)),
        ("a % b", (1, 0.0)),
        ("a * b", (1e308, 10.0)),
        ("a - b", (math.inf, math.inf)),
        ("int(a)", (math.inf,)),
        ("int(a)", ("many",)),
        ("a + b", ("text", 1)),
        ("a < b", ("text", 1)),
    ],
)
def test_null_where_there_is_no_finite_answer(expression: str, values: tuple):
    assert compiled(expression)(*values) is None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "does not parse"),
        ("a +", "does not parse"),
        ("a\0", "does not parse"),
        ("a; b", "does not parse"),
        ("a = 1", "does not parse"),
        ("a ** 2", "Pow is not allowed"),
        ("a.real", "Attribute is not allowed"),
        ("a[0]", "Subscript is not allowed"),
        ("lambda: a", "Lambda is not allowed"),
        ("[a for a in b]", "ListComp is not allowed"),
        ("(a := 1)", "NamedExpr is not allowed"),
        ("f'{a}'", "JoinedStr is not allowed"),
        ("open('x')", "only abs, min, max, float, int may be called"),
        ("abs(a)(b)", "only abs, min, max, float, int may be called"),
        ("min(a, key=b)", "only abs, min, max, float, int may be called"),
        ("__import__", "name '__import__' is not allowed"),
        ("a + " * 200 + "a", "longer than 500"),
    ],
)
def test_what_is_outside_the_grammar_is_refused(expression: str, reason: str):
    with pytest.raises(ContractError, match=reason):
        compiled(expression)


def test_a_refusal_names_the_column():
    with pytest.raises(ContractError, match=r"column 5 of 'a \+ b\.c'"):
        compiled("a + b.c")


LONG = "%1000000000d"


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a * b", ("text", 10**9)),
        ("a * b", (10**9, "text")),
        ("a * b", (b"bytes", 10**9)),
        ("a * b", ([1], 10**9)),
        ("a + b", ("one", "two")),
        ("a % b", (LONG, 7)),
        ("a % b", ("plain", True)),
        ("(a if b else 1) * c", ("text", True, 10**9)),
        ("(b or a) * c", ("text", False, 10**9)),
        ("min(a, a) * b", ("text", 10**9)),
        ("max(min(b or a, a), a) * c", ("text", 0, 10**9)),
        ("1 if a * b == 'x' else 2", ("text", 10**9)),
        ("abs(a * b)", ("text", 10**9)),
    ],
)
def test_arithmetic_of_text_is_null_and_builds_nothing(expression: str, values: tuple):
    assert compiled(expression)(*values) is None


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("(a == 'x') * b", ("x", 3), 3),
        ("(2 if a == 'x' else 1) * b", ("x", 3), 6),
        ("(2 if a else 1) * b", ("x", 3), 6),
        ("float(a) * b", ("1.5", 2), 3.0),
        ("int(a) + int(b)", ("1", "2"), 3),
        ("not a", ("",), True),
        ("a if b > 0 else 'none'", ("x", 1), "x"),
        ("max(a, 'b')", ("a",), "b"),
        ("a * b", (True, 3), 3),
    ],
)
def test_text_may_be_compared_chosen_and_read_as_a_number(expression: str, values: tuple, expected: object):
    assert compiled(expression)(*values) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("'x' * 1000000000", "arithmetic is of numbers, not of 'x'; column 1 of"),
        ("a * 'x'", "column 5 of"),
        ("'%1000000000d' % a", "arithmetic is of numbers"),
        ("(a or 'x') * b", "arithmetic is of numbers"),
        ("(1 if a else 'x') + b", "arithmetic is of numbers"),
        ("min('x', a) * b", "arithmetic is of numbers"),
        ("b'x' if a else 1", "bytes is no constant"),
        ("a + 1j", "complex is no constant"),
        ("a == ...", "ellipsis is no constant"),
    ],
)
def test_text_in_a_declared_sum_is_refused(expression: str, reason: str):
    with pytest.raises(ContractError, match=reason):
        compiled(expression)


def test_names_in_order_of_first_use_without_functions():
    assert names("b + max(a, b) * abs(c)") == ("b", "a", "c")


@pytest.mark.parametrize(
    ("value_type", "values", "expected"),
    [
        ("DOUBLE", (1, 2), [1.0, 2.0]),
        ("DOUBLE", (True, "x"), [1.0, None]),
        ("INT64", (2.0, 2.5), [2, None]),
        ("INT64", (True, 10**300), [1, None]),
        ("BOOL", (True, 1), [True, None]),
        ("STRING", ("x", 1), ["x", None]),
    ],
)
def test_a_typed_result_is_of_its_type_or_null(value_type: str, values: tuple, expected: list):
    evaluate = typed("a", value_type)
    results = [evaluate(value) for value in values]
    assert results == expected
    assert [type(result) for result in results] == [type(value) for value in expected]


def test_a_number_too_large_for_a_double_is_null():
    assert typed("a * a * a", "DOUBLE")(10**200) is None
    assert typed("a * a * a", "INT64")(10**200) is None


def test_an_unknown_type_is_refused():
    with pytest.raises(ContractError, match="'FLOAT_LIST'; types are DOUBLE"):
        typed("a", "FLOAT_LIST")


numbers = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(max_size=3))


@given(a=numbers, b=numbers, c=numbers, value_type=st.sampled_from(["DOUBLE", "INT64", "BOOL", "STRING"]))
def test_no_value_of_any_type_raises_or_gives_what_is_not_finite(a, b, c, value_type):
    for expression in (
        "a / (b / c)",
        "a if b < c else c % a",
        "min(a, b) - max(b, c)",
        "int(a) // int(b) + c",
    ):
        result = typed(expression, value_type)(a, b, c)
        assert result is None or isinstance(
            result, {"DOUBLE": float, "INT64": int, "BOOL": bool, "STRING": str}[value_type]
        )
        assert not isinstance(result, float) or math.isfinite(result)
