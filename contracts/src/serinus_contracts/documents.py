"""Frozen dataclasses to and from plain JSON documents, strictly.

The reader of a document is another process of another version, so an unknown or missing key is an
error that names its path, never a silent default.
"""

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from serinus_contracts.errors import ContractError

T = TypeVar("T")


def to_document(value: Any) -> Any:
    """Return `value` (a dataclass, or a nest of them) as JSON-ready dicts, lists and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_document(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [to_document(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_document(item) for key, item in value.items()}
    return value


def canonical_json(value: Any) -> bytes:
    """Return the one byte string of `value`: sorted keys, no spaces. Digests are taken of this."""
    document = to_document(value)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def from_document(kind: type[T], document: Any, path: str = "$") -> T:
    """Build the dataclass `kind` from a parsed JSON `document`.

    Raises ContractError naming the JSON path of the first fault: a wrong type, an unknown key, or a
    key that is missing and has no default.
    """
    if not isinstance(document, dict):
        raise ContractError(f"{path}: expected an object, got {type(document).__name__}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(document) - set(fields))
    if unknown:
        raise ContractError(f"{path}.{unknown[0]}: unknown key; known are {', '.join(sorted(fields))}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in document:
            values[name] = _coerce(hints[name], document[name], f"{path}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ContractError(f"{path}.{name}: missing")
    return kind(**values)


def _coerce(hint: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(arguments, value, path)
    if origin is typing.Literal:
        if value not in arguments:
            raise ContractError(f"{path}: {value!r} is none of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ContractError(f"{path}: expected a list, got {type(value).__name__}")
        return tuple(_coerce(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise ContractError(f"{path}: expected an object, got {type(value).__name__}")
        return {key: _coerce(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return from_document(typing.cast(type[Any], hint), value, path)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ContractError(f"{path}: expected {hint.__name__}, got {type(value).__name__}")
    return value


def _coerce_union(options: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in options:
        return None
    present = [option for option in options if option is not type(None)]
    for option in present:
        if type(value) is option:
            return value
    for option in present:
        try:
            return _coerce(option, value, path)
        except ContractError:
            if len(present) == 1:
                raise
    names = ", ".join(getattr(option, "__name__", str(option)) for option in options)
    raise ContractError(f"{path}: expected one of {names}, got {type(value).__name__}")
