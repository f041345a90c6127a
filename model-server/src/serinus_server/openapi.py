"""What `/docs` and `/model/info` say of the served model, made from its contract."""

from typing import Any

from serinus_contracts.artifact import Input
from serinus_contracts.documents import to_document
from serinus_server.model import Model

_TYPES = {"int64": "integer", "float64": "number", "bool": "boolean", "string": "string"}
_ERRORS = {
    400: "malformed, or a value that the contract refuses; the message names row and feature",
    404: "another model or version, or an entity key that cannot be answered",
    408: "the body did not arrive in time",
    413: "too many bytes or rows",
    415: "another content type, or an encoding",
    422: "a required feature that the store cannot give",
    500: "the model gave no probabilities",
    503: "not ready, or the store is down and no default is declared",
}


def model_info(model: Model) -> dict[str, Any]:
    """Return the contract as `/model/info` shows it: all but file digests and the store's layout."""
    contract = model.contract
    plan = contract.plan
    return {
        "name": model.name,
        "version": model.version,
        "revision": contract.revision,
        "digest": contract.digest,
        "estimator": contract.estimator,
        "classes": list(contract.classes),
        "threshold": contract.threshold,
        "inputs": [to_document(each) for each in contract.inputs],
        "feature_service": plan.feature_service if plan else None,
        "entity_keys": [key.name for key in plan.join_keys] if plan else [],
        "request_values": list(plan.request) if plan else [],
    }


def predict_routes(model: Model, max_rows: int) -> dict[str, dict[str, Any]]:
    """Return, by path, the keyword arguments of the FastAPI route that documents each predict verb."""
    row = _row(model)
    keyed = model.contract.plan is not None
    one = (
        _closed({}, {"features": row, "entity": _entity(model)}) if keyed else _closed({"features": row}, {})
    )
    width = len(model.contract.inputs)
    values = {
        "type": "array",
        "items": {"type": ["number", "string", "boolean", "null"]},
        "minItems": width,
        "maxItems": width,
    }
    v1 = _closed({"instances": _rows({"anyOf": [row, values]}, max_rows)}, {"parameters": {"type": "object"}})
    tensor = _closed(
        {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
        {"parameters": {"type": "object"}},
    )
    v2 = _closed(
        {"inputs": {"type": "array", "items": tensor, "minItems": 1}},
        {
            "id": {"type": "string", "maxLength": 128},
            "parameters": {"type": "object"},
            "outputs": {
                "type": "array",
                "items": _closed({"name": {"type": "string"}}, {"parameters": {"type": "object"}}),
            },
        },
    )
    infer = _route("v2", "Open Inference Protocol V2 infer: a tensor per feature, or one matrix `input`", v2)
    return {
        "/predict": _route("native", "Predict one row, whole or by entity key", one),
        "/predict/batch": _route("native", "Predict many rows", _closed({"rows": _rows(one, max_rows)}, {})),
        "/v1/models/{model}:predict": _route("v1", "KServe V1 predict", v1),
        "/v2/models/{model}/infer": infer,
        "/v2/models/{model}/versions/{version}/infer": infer,
    }


def _route(tag: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": [tag],
        "summary": summary,
        "responses": {code: {"description": text} for code, text in _ERRORS.items()},
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
        },
    }


def _row(model: Model) -> dict[str, Any]:
    properties = {each.name: _feature(each) for each in model.contract.inputs}
    required = [each.name for each in model.contract.inputs if each.default is None]
    if model.contract.plan:
        # A row by entity key has the keys instead, so nothing is required of every row.
        return {"type": "object", "properties": properties | _entity(model)["properties"]}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _entity(model: Model) -> dict[str, Any]:
    keys = model.contract.plan.join_keys if model.contract.plan else ()
    types = {key.name: {"type": "string" if key.value_type == "STRING" else "integer"} for key in keys}
    return {"type": "object", "properties": types, "additionalProperties": False}


def _feature(each: Input) -> dict[str, Any]:
    kind = _TYPES[each.dtype]
    schema: dict[str, Any] = {"type": kind if each.default is None else [kind, "null"]}
    if each.minimum is not None:
        schema["minimum"] = each.minimum
    if each.maximum is not None:
        schema["maximum"] = each.maximum
    if each.allowed:
        schema["enum"] = [*each.allowed] if each.default is None else [*each.allowed, None]
    if each.default is not None:
        schema["default"] = each.default
    return schema


def _rows(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def _closed(required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }
