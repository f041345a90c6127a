"""The native walk of a forest, where it can stand in for onnxruntime: the same bits in less time.

Taken for graphs `Cast to float32 -> TreeEnsembleClassifier` with two classes and one score a leaf, as the
converters write them for forests and boosting. Everything else keeps onnxruntime, and so does a server
beside which `serinus_forest` (model-server/native) was not compiled. How onnxruntime adds and transforms
is not believed but compared: on rows at and around the graph's own thresholds both must answer the same
bits. Rows hold finite numbers, as the contract's encoder makes them: what a tree does with NaN is not read.
"""

import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from serinus_server.onnx_scan import fields

Run = Callable[[list[list[float]]], list[list[float]]]
# Larger forests take long to read at the start, and no cache holds them.
_MOST_NODES = 500_000
_ROWS_COMPARED = 512
_NODE = np.dtype([("value", "<f4"), ("feature", "<u2"), ("other", "<u2")])
# Fields of onnx.proto3's messages.
_GRAPH, _NODES, _OP_TYPE, _ATTRIBUTES, _NAME, _TEXT = 7, 1, 4, 5, 1, 4


class NotTaken(Exception):
    """Why a graph keeps onnxruntime."""


def native(model: bytes, width: int, reference: Run) -> Run:
    """Return the native equivalent of `reference`, which runs the graph of the bytes `model` on rows of
    `width` doubles. Raises NotTaken saying why there is none."""
    try:
        walk: Any = importlib.import_module("serinus_forest")
    except ImportError as error:
        raise NotTaken(f"the native walk is not there: {error}") from None
    try:
        nodes, roots, base, logistic = _read(model)
        run: Run = walk.Forest(nodes.tobytes(), roots.tobytes(), width, base, logistic).run
    except (ValueError, LookupError, StopIteration) as error:
        raise NotTaken(f"it is no forest of the kind that is walked: {error!r}"[:200]) from None
    rows = _telling_rows(nodes, width)
    if run(rows) != reference(rows) or any(run([row]) != reference([row]) for row in rows[:8]):
        raise NotTaken("the native walk answers other bits than onnxruntime")
    return run


class _Ensemble:
    """The TreeEnsembleClassifier of a graph: its attributes by name, as bytes behind the name."""

    def __init__(self, model: bytes) -> None:
        self._attributes: dict[str, bytes] = {}
        graph = next(_parts(memoryview(model), _GRAPH))
        for node in _parts(graph, _NODES):
            kind = bytes(next(_parts(node, _OP_TYPE)))
            if kind == b"TreeEnsembleClassifier" and not self._attributes:
                for attribute in _parts(node, _ATTRIBUTES):
                    name = next(_parts(attribute, _NAME))
                    # The name comes first; its tag and its length take a byte each.
                    self._attributes[bytes(name).decode()] = bytes(attribute[2 + len(name) :])
            elif kind not in (b"Cast", b"Identity"):
                raise ValueError(kind)

    def __contains__(self, name: str) -> bool:
        return name in self._attributes

    def text(self, name: str) -> bytes:
        return bytes(next(_parts(memoryview(self._attributes[name]), _TEXT)))

    def count(self, name: str, value: bytes) -> int:
        """Return how many of the attribute's `strings` are `value`."""
        return self._attributes[name].count(b"J%c%b" % (len(value), value))

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """Return the attribute's `floats`: a tag before each, and the attribute's type behind them."""
        data = self._attributes[name]
        found = np.frombuffer(data[:-3], dtype=[("tag", "u1"), ("value", "<f4")])
        if not data.endswith(b"\xa0\x01\x06") or not (found["tag"] == 0x3D).all():
            raise ValueError(name)
        return found["value"].copy()

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """Return the attribute's `ints`: varints in turn, a tag and a value; the last pair is the type."""
        data = np.frombuffer(self._attributes[name], dtype=np.uint8).astype(np.int64)
        last = np.flatnonzero(data < 0x80)
        first = np.concatenate(([0], last[:-1] + 1))
        longest = int((last - first).max()) + 1
        if longest > 5 or len(last) % 2 or last[-1] != len(data) - 1:
            raise ValueError(name)
        numbers = np.zeros(len(last), dtype=np.int64)
        for i in range(longest):
            at = np.minimum(first + i, last)
            numbers |= np.where(first + i <= last, (data[at] & 0x7F) << 7 * i, 0)
        tags, values = numbers.reshape(-1, 2).T
        if not (tags[:-1] == 0x40).all() or tags[-1] != 0xA0:
            raise ValueError(name)
        return values[:-1]


def _read(model: bytes) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint32], float, bool]:
    """Return (nodes in preorder, each tree's first node, base score, whether the score is a logit)."""
    ensemble = _Ensemble(model)
    tree = ensemble.integers("nodes_treeids")
    size = len(tree)
    less, leaves = (ensemble.count("nodes_modes", mode) for mode in (b"BRANCH_LT", b"LEAF"))
    if size > _MOST_NODES or ensemble.count("nodes_modes", b"BRANCH_LEQ") != (0 if less else size - leaves):
        raise ValueError("nodes_modes")
    transform = ensemble.text("post_transform")
    base = ensemble.floats("base_values") if "base_values" in ensemble else np.zeros(1, np.float32)
    if transform not in (b"NONE", b"LOGISTIC") or len(base) != 1:
        raise ValueError(f"post_transform {transform!r}")
    roots = np.flatnonzero(np.diff(tree, prepend=-1))
    start = np.repeat(roots, np.diff(roots, append=size))
    if (ensemble.integers("nodes_nodeids") != np.arange(size) - start).any():
        raise ValueError("nodes_nodeids")
    which = np.searchsorted(tree[roots], ensemble.integers("class_treeids"))
    scored = roots[which] + ensemble.integers("class_nodeids")
    is_leaf = np.zeros(size, dtype=bool)
    is_leaf[scored] = True
    if not len(scored) == leaves == is_leaf.sum():
        raise ValueError("more than one score a leaf")
    value = ensemble.floats("nodes_values")
    if less:
        # For a float32 x, x < t is x <= the float32 before t.
        value = np.nextafter(value, np.float32(-math.inf))
    value[scored] = ensemble.floats("class_weights")
    true, false = (start + ensemble.integers(f"nodes_{name}nodeids") for name in ("true", "false"))
    order = _preorder(roots.tolist(), is_leaf.tolist(), true.tolist(), false.tolist())
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    other = np.where(is_leaf, 0, place[np.where(is_leaf, 0, false)] - place)
    feature = ensemble.integers("nodes_featureids")
    if max(other.max(), feature.max()) > 0xFFFF:
        raise ValueError("too large a tree, or too many features")
    nodes = np.empty(size, dtype=_NODE)
    for field, column in (("value", value), ("feature", feature), ("other", other)):
        nodes[field] = column[order]
    return nodes, place[roots].astype("<u4"), float(base[0]), transform == b"LOGISTIC"


def _preorder(roots: list[int], is_leaf: list[bool], true: list[int], false: list[int]) -> list[int]:
    """Return every node once, each tree from its root, the true child right behind its parent."""
    order: list[int] = []
    for root in roots:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            order.append(node)
            if len(order) > len(is_leaf):
                raise ValueError("a node has two parents")
            if not is_leaf[node]:
                waiting += (false[node], true[node])
    if len(set(order)) != len(is_leaf):
        raise ValueError("a node has no parent, or two")
    return order


def _telling_rows(nodes: npt.NDArray[Any], width: int) -> list[list[float]]:
    """Return rows of thresholds, and of the doubles and float32 next to them: where `<=` errs, if it does."""
    generator = np.random.default_rng(0)
    rows = np.zeros((_ROWS_COMPARED, width))
    inner = nodes[nodes["other"] > 0]
    for i in range(width):
        thresholds = inner["value"][inner["feature"] == i]
        if len(thresholds):
            rows[:, i] = generator.choice(thresholds, _ROWS_COMPARED)
    above = np.nextafter(rows.astype(np.float32), np.float32(math.inf)).astype(np.float64)
    scattered = rows + generator.normal(size=rows.shape) * (rows.std(axis=0) + 1)
    kind = generator.integers(0, 4, rows.shape)
    return np.choose(kind, (rows, above, np.nextafter(rows, math.inf), scattered)).tolist()  # type: ignore[no-any-return]


def _parts(message: memoryview, number: int) -> Iterator[memoryview]:
    return (part for field, part in fields(message) if field == number and isinstance(part, memoryview))
