"""The plain protocol: one row to `/predict`, many to `/predict/batch`.

{"features": {"age": 40, "tenure_months": 3}}
{"entity": {"customer_id": 7}, "features": {...only what a request can give...}}
{"rows": [{"features": ...}, ...]}
"""

from typing import Annotated, Any

import msgspec

from serinus_server.errors import RequestError, too_many_rows
from serinus_server.model import Answer, Model
from serinus_server.protocols.v1 import Value

_encode = msgspec.json.Encoder().encode


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """One row: whole, or by entity key."""

    features: dict[str, Value] | list[Value] = {}
    entity: dict[str, Value] = {}


class Rows(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a batch."""

    rows: Annotated[list[Row], msgspec.Meta(min_length=1)]


_decode_one = msgspec.json.Decoder(Row).decode
_decode_many = msgspec.json.Decoder(Rows).decode


class Predict:
    """`/predict`."""

    name = "native"
    binary = False
    fields = "features, entity"

    def __init__(self, model: Model) -> None:
        self._model = model

    async def __call__(
        self, body: bytes, given_id: str | None, _json_length: bytes | None
    ) -> tuple[bytes, str, None]:
        """Return (the answer's JSON, the request's prediction id, None)."""
        instance = _instance(_decode_one(body), self._model, "body")
        answer = await self._model.predict([instance], "row", given_id)
        shown = _shown(self._model, answer)[0]
        return _encode(shown | _about(self._model)), answer.base, None


class PredictBatch:
    """`/predict/batch`."""

    name = "native"
    binary = False
    fields = "rows; of each row features, entity"

    def __init__(self, model: Model, max_rows: int) -> None:
        self._model = model
        self._max_rows = max_rows

    async def __call__(
        self, body: bytes, given_id: str | None, _json_length: bytes | None
    ) -> tuple[bytes, str, None]:
        """Return (the answer's JSON, the request's prediction id, None)."""
        rows = _decode_many(body).rows
        if len(rows) > self._max_rows:
            raise too_many_rows("rows", len(rows), self._max_rows)
        instances = [_instance(row, self._model, f"rows[{i}]") for i, row in enumerate(rows)]
        answer = await self._model.predict(instances, "rows", given_id)
        body = _encode({"predictions": _shown(self._model, answer)} | _about(self._model))
        return body, answer.base, None


def _instance(row: Row, model: Model, place: str) -> Any:
    if not row.entity:
        return row.features
    if not isinstance(row.features, dict):
        raise RequestError(400, f"{place}: with an entity, features go by name")
    keys = model.entity_keys
    for name in row.entity:
        if name not in keys:
            known = ", ".join(sorted(keys)) or "none"
            raise RequestError(400, f"{place}: entity: {name[:64]!r} is no entity key; keys are {known}")
    for name in row.features:
        if name in keys:
            raise RequestError(400, f"{place}: {name} is an entity key and stands under entity")
    return row.features | row.entity


def _about(model: Model) -> dict[str, Any]:
    return {"model": model.name, "version": model.version, "revision": model.contract.revision}


def _shown(model: Model, answer: Answer) -> list[dict[str, Any]]:
    classes = [str(each) for each in model.contract.classes]
    marks = {mark["row"]: mark for mark in answer.marks or ()}
    shown = []
    for i, label in enumerate(answer.labels):
        row: dict[str, Any] = {
            "prediction": label,
            "probabilities": dict(zip(classes, answer.probabilities[i], strict=True)),
            "prediction_id": answer.ids[i],
        }
        row |= {key: value for key, value in marks.get(i, {}).items() if key != "row"}
        shown.append(row)
    return shown
