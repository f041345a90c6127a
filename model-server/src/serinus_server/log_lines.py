"""From what the request path offers to the prediction log to one line of it, off the request path."""

from collections.abc import Callable
from typing import Any

import msgspec

from serinus_contracts.artifact import Input, ModelContract


def line_encoder(contract: ModelContract, name: str) -> Callable[[tuple[Any, ...]], bytes]:
    """Return the function that turns (prediction id, time, EncodedRow, label, probabilities) into the
    JSON object of a PredictionRecord. Features are shown as the model saw them, in their own types."""
    encode = msgspec.json.Encoder().encode
    shown = tuple((each.name, _shown(each)) for each in contract.inputs)
    revision = contract.revision

    def line(offered: tuple[Any, ...]) -> bytes:
        prediction_id, at, row, label, probabilities = offered
        return encode(
            {
                "prediction_id": prediction_id,
                "at": at,
                "model": name,
                "revision": revision,
                "entity": row.entity,
                "features": {
                    key: value if show is None else show(value)
                    for (key, show), value in zip(shown, row.values, strict=True)
                },
                "prediction": str(label),
                "probabilities": probabilities,
                "degraded": row.degraded,
                "defaulted": row.defaulted,
                "stale": row.stale,
            }
        )

    return line


def _shown(each: Input) -> Callable[[float], Any] | None:
    if each.dtype == "string":
        allowed = each.allowed
        return lambda code: allowed[int(code)]
    if each.dtype == "bool":
        return bool
    return int if each.dtype == "int64" else None
