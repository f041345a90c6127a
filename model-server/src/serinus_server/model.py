"""One served model: instances in, answer out; counts, marks and logs every row on the way."""

import itertools
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from serinus_contracts.artifact import ModelContract, Scalar
from serinus_contracts.records import PREDICTION_ID_HEADER
from serinus_server.errors import InvalidOutput, RequestError
from serinus_server.instances import EncodedRow, Instance, Instances
from serinus_server.metrics import ModelMetrics

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_LARGEST_SINGLE = float.fromhex("0x1.fffffep+127")


class Answer:
    """What a request is told, in order of its rows.

    `labels` are classes, `probabilities` rows x classes. `base` names the request; `ids` are the rows'
    prediction ids. `marks` has one object for each row that is not plainly its own values, else None.
    """

    __slots__ = ("base", "ids", "labels", "marks", "probabilities")

    def __init__(
        self,
        labels: list[Scalar],
        probabilities: list[list[float]],
        base: str,
        ids: list[str],
        marks: list[dict[str, Any]] | None,
    ) -> None:
        self.labels = labels
        self.probabilities = probabilities
        self.base = base
        self.ids = ids
        self.marks = marks


class Model:
    """A loaded artifact behind its name.

    run: matrix to probabilities (`runtime.Graph.run`). offer: takes a log row (`PredictionLog.offer`).
    """

    def __init__(
        self,
        contract: ModelContract,
        name: str,
        version: str,
        *,
        run: Callable[[list[list[float]]], list[list[float]]],
        instances: Instances,
        metrics: ModelMetrics,
        offer: Callable[[Any], bool],
    ) -> None:
        self.contract = contract
        self.name = name
        self.version = version
        self.metrics = metrics
        self.entity_keys = instances.keys
        self._run = run
        self._instances = instances
        self._offer = offer
        self._classes = contract.classes
        self._threshold = contract.threshold if len(contract.classes) == 2 else None
        # Random once a process, counted within it: unique over replicas without a system call a request.
        self._prefix = os.urandom(8).hex()
        self._count = itertools.count(1)

    async def predict(self, instances: Sequence[Instance], place: str, given_id: str | None) -> Answer:
        """Answer `instances`; `place` is what the protocol calls them, for error messages.

        Raises RequestError, or InvalidOutput when the graph's answer is none: then no row is answered,
        as no protocol here can say so for one row alone.
        """
        rows = await self._instances.encode(instances, place)
        metrics = self.metrics
        try:
            probabilities = self._run([row.values for row in rows])
        except InvalidOutput as error:
            for i, row in enumerate(rows):
                if any(abs(value) > _LARGEST_SINGLE for value in row.values):
                    # Finite here, infinite to a graph that casts to float32: the values are at fault.
                    raise RequestError(400, f"{place}[{i}]: a value is beyond what a float32 holds") from None
            metrics.invalid += error.rows
            raise
        labels = [self._label(each) for each in probabilities]
        base = given_id if given_id is not None else f"{self._prefix}-{next(self._count):x}"
        ids = [base] if len(rows) == 1 else [f"{base}-{i}" for i in range(len(rows))]
        at = time.time()
        marks: list[dict[str, Any]] | None = None
        for i, row in enumerate(rows):
            metrics.predictions[labels[i]] += 1
            self._offer((ids[i], at, row, labels[i], probabilities[i]))
            if row.defaulted or row.entity:
                marks = self._mark(i, row, marks)
        return Answer(labels, probabilities, base, ids, marks)

    def _label(self, probabilities: list[float]) -> Scalar:
        if self._threshold is not None:
            return self._classes[1] if probabilities[1] >= self._threshold else self._classes[0]
        return self._classes[probabilities.index(max(probabilities))]

    def _mark(
        self, index: int, row: EncodedRow, marks: list[dict[str, Any]] | None
    ) -> list[dict[str, Any]] | None:
        metrics = self.metrics
        for name in row.defaulted:
            metrics.defaulted[name] += 1
        for name in row.stale:
            metrics.stale[metrics.view_of[name]] += 1
        if row.degraded:
            metrics.degraded += 1
        mark: dict[str, Any] = {}
        if row.degraded:
            mark["degraded"] = True
        if not row.found:
            mark["found"] = False
        if row.defaulted:
            mark["defaulted"] = row.defaulted
        if row.stale:
            mark["stale"] = row.stale
        if mark:
            marks = [] if marks is None else marks
            marks.append({"row": index, **mark})
        return marks


def checked_id(text: bytes) -> str:
    """Return the prediction id that a client gave in a header; raises RequestError for one that is none."""
    value = text.decode("latin-1")
    if not _ID.fullmatch(value):
        raise RequestError(
            400, f"{PREDICTION_ID_HEADER}: takes 1 to 128 of the characters A-Z a-z 0-9 . _ : -"
        )
    return value
