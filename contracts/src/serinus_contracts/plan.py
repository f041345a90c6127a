"""The online feature plan: what a server must know to read features without the store's registry."""

from dataclasses import dataclass
from typing import Literal

KeyType = Literal["INT32", "INT64", "STRING"]


@dataclass(frozen=True)
class JoinKey:
    """One entity key column. `value_type` is Feast's name of the type."""

    name: str
    value_type: KeyType


@dataclass(frozen=True)
class PlanFeature:
    """One stored feature. `field` is the hash field (hex) under which Redis holds it."""

    name: str
    value_type: str
    field: str


@dataclass(frozen=True)
class PlanView:
    """One feature view. `ttl_seconds` 0 means that values never grow too old.

    `timestamp_field` is the hash field (UTF-8 text) of the view's event time in Redis; `table` is
    the view's table in the SQLite store.
    """

    name: str
    ttl_seconds: int
    features: tuple[PlanFeature, ...]
    timestamp_field: str
    table: str


@dataclass(frozen=True)
class OnDemand:
    """A feature computed from others by an expression of serinus_contracts.expressions."""

    name: str
    value_type: str
    expression: str


@dataclass(frozen=True)
class OnlinePlan:
    """All that a read of one FeatureService needs.

    `join_keys` are in the order in which the store serialises them. `request` names the values that
    the caller must give for the on-demand expressions, `on_demand` is in order of evaluation.
    """

    project: str
    feature_service: str
    join_keys: tuple[JoinKey, ...]
    views: tuple[PlanView, ...]
    on_demand: tuple[OnDemand, ...] = ()
    request: tuple[str, ...] = ()
    key_serialization_version: int = 3
