"""Entity keys: checked as a client gives them, and serialised as the store does (its version 3).

The layout, all integers little endian and 32 bit: the number of keys; for each key the type code of
a string, its length and its name; then for each value its type code, its length and its bytes.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from serinus_contracts.errors import ContractError
from serinus_contracts.plan import JoinKey, OnlinePlan

KEY_VERSION = 3
# Longer keys are a mistake or an attack: the store's key would carry them whole.
LONGEST_KEY = 1024
_STRING, _INT32, _INT64 = 2, 3, 4
_RANGES = {"INT32": 2**31, "INT64": 2**63}
_header = struct.Struct("<II").pack
_int32 = struct.Struct("<IIi").pack
_int64 = struct.Struct("<IIq").pack


def check_entity(plan: OnlinePlan, entity: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the entity's key with exactly the plan's names, in the plan's order.

    Raises ContractError naming the key: missing, unknown, of the wrong type, out of range, empty,
    longer than LONGEST_KEY bytes, or not Unicode.
    """
    checked: dict[str, str | int] = {}
    for key in plan.join_keys:
        value = entity.get(key.name)
        if value is None:
            raise ContractError(f"{key.name}: required entity key, but null or absent")
        checked[key.name] = _checked(key, value)
    if len(entity) != len(checked):
        unknown = min(str(name) for name in entity if name not in checked)
        raise ContractError(f"{unknown[:64]}: unknown entity key; known are {', '.join(checked)}")
    return checked


def _checked(key: JoinKey, value: Any) -> str | int:
    if key.value_type == "STRING":
        if type(value) is not str:
            raise ContractError(f"{key.name}: must be a string")
        try:
            size = len(value.encode()) if len(value) <= LONGEST_KEY else len(value)
        except UnicodeEncodeError:
            raise ContractError(f"{key.name}: holds a lone surrogate, which is no character") from None
        if not 0 < size <= LONGEST_KEY:
            raise ContractError(f"{key.name}: must have between 1 and {LONGEST_KEY} bytes")
        return value
    limit = _RANGES[key.value_type]
    if type(value) is not int:
        raise ContractError(f"{key.name}: must be a whole number, not {type(value).__name__}")
    if not -limit <= value < limit:
        raise ContractError(f"{key.name}: is beyond {key.value_type}")
    return value


def key_encoder(plan: OnlinePlan) -> Callable[[Mapping[str, Any]], bytes]:
    """Return a function from a checked entity to the store's key, without the project's suffix.

    Raises ContractError for a plan whose keys this code would serialise otherwise than the store.
    """
    if plan.key_serialization_version != KEY_VERSION:
        raise ContractError(
            f"plan: key_serialization_version {plan.key_serialization_version}; set "
            f"entity_key_serialization_version: {KEY_VERSION} in feature_store.yaml and apply again"
        )
    names = [key.name for key in plan.join_keys]
    if not names or names != sorted(set(names)):
        raise ContractError("plan: join_keys must be unique, at least one, and sorted by name")
    prefix = struct.pack("<I", len(names))
    for name in names:
        encoded = name.encode()
        prefix += _header(_STRING, len(encoded)) + encoded
    parts = tuple((key.name, _part(key)) for key in plan.join_keys)
    if len(parts) == 1:
        only, encode = parts[0]
        return lambda entity: prefix + encode(entity[only])
    return lambda entity: prefix + b"".join(encode(entity[name]) for name, encode in parts)


def _part(key: JoinKey) -> Callable[[Any], bytes]:
    if key.value_type == "INT32":
        return lambda value: _int32(_INT32, 4, value)
    if key.value_type == "INT64":
        return lambda value: _int64(_INT64, 8, value)

    def string(value: str) -> bytes:
        encoded = value.encode()
        return _header(_STRING, len(encoded)) + encoded

    return string
