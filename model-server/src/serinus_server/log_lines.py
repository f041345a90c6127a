"""From what the request path offers to the prediction log to one line of it, off the request path."""

from collections.abc import Callable
from typing import Any

import msgspec

from serinus_contracts.artifact import Input, ModelContract


class _Line(msgspec.Struct):
    """A PredictionRecord as it is written. A struct encodes several times faster than an object or a dict."""

    prediction_id: str
    at: float
    model: str
    revision: str
    entity: dict[str, Any]
    features: msgspec.Struct
    prediction: str
    probabilities: list[float]
    degraded: bool
    defaulted: tuple[str, ...]
    stale: tuple[str, ...]


def line_encoder(contract: ModelContract) -> Callable[[tuple[Any, ...]], bytes]:
    """Return the function that turns (prediction id, time, EncodedRow, label, probabilities) into the
    JSON object of a PredictionRecord. Features are shown as the model saw them, in their own types."""
    encode = msgspec.json.Encoder().encode
    # Any text may name a feature, so the fields are numbered and renamed.
    fields = [f"_{i}" for i in range(len(contract.inputs))]
    renamed = {field: each.name for field, each in zip(fields, contract.inputs, strict=True)}
    features = msgspec.defstruct("_Features", fields, rename=renamed)
    retyped = [(i, show) for i, each in enumerate(contract.inputs) if (show := _shown(each)) is not None]
    name, revision = contract.model, contract.revision

    def line(offered: tuple[Any, ...]) -> bytes:
        prediction_id, at, row, label, probabilities = offered
        values = row.values
        if retyped:
            values = values.copy()
            for i, show in retyped:
                values[i] = show(values[i])
        return encode(
            _Line(
                prediction_id,
                at,
                name,
                revision,
                row.entity,
                features(*values),
                str(label),
                probabilities,
                row.degraded,
                row.defaulted,
                row.stale,
            )
        )

    return line


def _shown(each: Input) -> Callable[[float], Any] | None:
    if each.dtype == "string":
        allowed = each.allowed
        return lambda code: allowed[int(code)]
    if each.dtype == "bool":
        return bool
    return int if each.dtype == "int64" else None
