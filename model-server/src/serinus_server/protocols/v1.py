"""KServe V1: `{"instances": [...]}` to `{"predictions": [...]}`.

An instance is an object by feature name (or by entity key), or a list in the contract's order. Beside
`predictions` (labels) stand `probabilities`, `prediction_ids`, and `marks` where a row has any.
"""

from typing import Annotated, Any

import msgspec

from serinus_contracts.artifact import Scalar
from serinus_server.errors import too_many_rows
from serinus_server.model import Model

Value = int | float | str | bool | None
_encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The body. `parameters` is allowed and has no meaning here."""

    instances: Annotated[list[dict[str, Value] | list[Value]], msgspec.Meta(min_length=1)]
    parameters: dict[str, Any] | None = None


class Shown(msgspec.Struct, omit_defaults=True):
    """The answer. `marks` is left out where no row has any."""

    predictions: list[Scalar]
    probabilities: list[list[float]]
    prediction_ids: list[str]
    marks: list[dict[str, Any]] | None = None


_decode = msgspec.json.Decoder(Request).decode


class V1:
    """The V1 predict verb of one model."""

    name = "v1"
    binary = False
    fields = "instances, parameters"

    def __init__(self, model: Model, max_rows: int) -> None:
        self._model = model
        self._max_rows = max_rows

    async def __call__(
        self, body: bytes, given_id: str | None, _json_length: bytes | None
    ) -> tuple[bytes, str, None]:
        """Return (the answer's JSON, the request's prediction id, None)."""
        instances = _decode(body).instances
        if len(instances) > self._max_rows:
            raise too_many_rows("instances", len(instances), self._max_rows)
        answer = await self._model.predict(instances, "instances", given_id)
        shown = Shown(answer.labels, answer.probabilities, answer.ids, answer.marks)
        return _encode(shown), answer.base, None
