"""Dataclasses to JSON and back: exactly, strictly, naming the path of what is wrong."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_contracts.documents import canonical_json, from_document, to_document
from serinus_contracts.errors import ContractError


@dataclass(frozen=True)
class Leaf:
    kind: Literal["a", "b"]
    size: float
    note: str | None = None


@dataclass(frozen=True)
class Tree:
    name: str
    count: int
    leaves: tuple[Leaf, ...]
    scores: dict[str, float]
    either: str | int | float | bool = ""
    free: Any = None
    made: dict[str, int] = field(default_factory=dict)


TREE = Tree("t", 3, (Leaf("a", 1.5), Leaf("b", 2.0, "n")), {"x": 0.5}, 7, [1, {"y": None}], {"z": 1})


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(to_document(TREE)))
    return found


def test_a_document_is_read_back_equal():
    assert from_document(Tree, document()) == TREE


def test_defaults_apply_to_absent_keys():
    bare = from_document(Tree, {"name": "t", "count": 1, "leaves": [], "scores": {}})
    assert bare == Tree("t", 1, (), {})


def test_a_whole_number_may_stand_for_a_double_and_nothing_else_is_converted():
    assert from_document(Leaf, {"kind": "a", "size": 2}).size == 2.0
    assert type(from_document(Leaf, {"kind": "a", "size": 2}).size) is float


@pytest.mark.parametrize("value", ["text", 7, 7.5, True, False])
def test_a_union_keeps_the_type_it_got(value: Any):
    found = from_document(Tree, {**document(), "either": value}).either
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 1.5}, r"\$\.count: expected int, got float"),
        ({"count": True}, r"\$\.count: expected int, got bool"),
        ({"count": "3"}, r"\$\.count: expected int, got str"),
        ({"count": None}, r"\$\.count: expected int, got NoneType"),
        ({"leaves": {}}, r"\$\.leaves: expected a list, got dict"),
        ({"leaves": [1]}, r"\$\.leaves\[0\]: expected an object, got int"),
        ({"leaves": [{"kind": "c", "size": 1}]}, r"\$\.leaves\[0\]\.kind: 'c' is none of 'a', 'b'"),
        ({"leaves": [{"kind": "a"}]}, r"\$\.leaves\[0\]\.size: missing"),
        ({"leaves": [{"kind": "a", "size": "1"}]}, r"\$\.leaves\[0\]\.size: expected float, got str"),
        ({"leaves": [{"kind": "a", "size": 1, "note": 1}]}, r"\$\.leaves\[0\]\.note: expected str, got int"),
        ({"scores": []}, r"\$\.scores: expected an object, got list"),
        ({"scores": {"x": "1"}}, r"\$\.scores\.x: expected float, got str"),
        ({"either": []}, r"\$\.either: expected one of str, int, float, bool, got list"),
        ({"more": 1}, r"\$\.more: unknown key; known are count, either"),
    ],
)
def test_the_first_fault_is_named_by_its_path(change: dict[str, Any], message: str):
    with pytest.raises(ContractError, match=message):
        from_document(Tree, {**document(), **change})


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_a_document_must_be_an_object(document: Any):
    with pytest.raises(ContractError, match=r"\$: expected an object"):
        from_document(Tree, document)


def test_the_canonical_form_does_not_know_the_order_of_keys():
    assert canonical_json({"b": 1, "a": (2, None)}) == b'{"a":[2,null],"b":1}'
    assert canonical_json({"a": [2, None], "b": 1}) == canonical_json({"b": 1, "a": [2, None]})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_does_not_know_has_no_canonical_form(value: float):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": value})


TREES = st.builds(
    Tree,
    name=st.text(),
    count=st.integers(),
    leaves=st.lists(
        st.builds(
            Leaf,
            kind=st.sampled_from(["a", "b"]),
            size=st.floats(allow_nan=False, allow_infinity=False),
            note=st.none() | st.text(),
        )
    ).map(tuple),
    scores=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    either=st.text() | st.integers() | st.booleans(),
    made=st.dictionaries(st.text(), st.integers()),
)


@given(TREES)
def test_every_document_survives_the_way_there_and_back(tree: Tree):
    assert from_document(Tree, json.loads(canonical_json(tree))) == tree
