"""A real Feast store with a feature of every scalar type, and what the server reads from the same store."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from serinus_contracts.plan import OnlinePlan
from serinus_jobs.offline.planning import online_plan
from serinus_jobs.offline.repository import online_options
from serinus_server.doors import FeatureRow, OnlineStore, StoreUnavailable
from serinus_server.online import check_entity, make_store

NOW = datetime.now(UTC).replace(microsecond=123456)
BUDGET = 1.0
SCALARS: dict[str, tuple[Any, ...]] = {
    # name: values for the customers 1, 2, 3
    "int32": (0, -(2**31), 2**31 - 1),
    "int64": (1, -(2**63), 2**63 - 1),
    "float32": (0.1, -3.5e38, float("inf")),
    "float64": (0.1, -1.7e308, 5e-324),
    "string": ("", "Zürich 🐤", "x" * 300),
    "bytes": (b"\x00\xff", b"", b"b" * 200),
    "bool": (True, False, True),
    "moment": (NOW, datetime(1969, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)),
    "uuid": (uuid.UUID(int=1), uuid.UUID(int=2**128 - 1), uuid.UUID(int=7)),
    "decimal": (Decimal("1.10"), Decimal("-1E+30"), Decimal(0)),
    "json": ('{"a": [1, null]}', "[]", '"text"'),
}


@dataclass
class Stored:
    """A real Feast store, the plan that its planner makes, and the address for the server."""

    feast: Any
    plan: OnlinePlan
    url: str

    def answer(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        service = self.feast.get_feature_service("all")
        found = self.feast.get_online_features(features=service, entity_rows=rows).to_dict()
        names = [feature.name for view in self.plan.views for feature in view.features]
        return [{name: found[name][i] for name in names} for i in range(len(rows))]


def build(folder: Path, url: str) -> Stored:
    """Return the store at `url`, filled; its registry lies in `folder`."""
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.repo_config import RepoConfig
    from feast.types import (
        Bool,
        Bytes,
        Float32,
        Float64,
        Int32,
        Int64,
        Json,
        String,
        UnixTimestamp,
        Uuid,
    )  # fmt: skip
    from feast.types import (
        Decimal as DecimalType,
    )

    config = RepoConfig(
        project="shop",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=online_options(url),
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    feast = FeatureStore(config=config)
    keys = [
        Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING),
        Entity(name="customer", join_keys=["customer"], value_type=ValueType.INT64),
        Entity(name="branch", join_keys=["branch"], value_type=ValueType.INT32),
    ]
    kinds = dict(
        zip(
            SCALARS,
            [Int32, Int64, Float32, Float64, String, Bytes, Bool, UnixTimestamp, Uuid, DecimalType, Json],
            strict=True,
        )
    )
    key_fields = [Field(name="shop", dtype=String), Field(name="customer", dtype=Int64)]
    key_fields.append(Field(name="branch", dtype=Int32))
    source = FileSource(name="none", path=str(folder / "none.parquet"), timestamp_field="event_timestamp")
    fields = [Field(name=name, dtype=kind) for name, kind in kinds.items()]
    short = FeatureView(
        name="short", entities=keys, ttl=timedelta(hours=1), source=source, schema=[*key_fields, *fields]
    )
    forever = FeatureView(
        name="forever",
        entities=keys,
        ttl=timedelta(0),
        source=source,
        schema=[*key_fields, Field(name="visits", dtype=Int64), Field(name="spent", dtype=Float64)],
    )
    service = FeatureService(name="all", features=[short, forever])
    feast.apply([*keys, source, short, forever, service])
    provider = feast._get_provider()
    values = [{name: each[i] for name, each in SCALARS.items()} for i in range(3)]
    for i, row in enumerate(values):
        write(provider, config, short, i + 1, row, NOW)
    write(provider, config, short, 4, values[0], NOW - timedelta(hours=2))
    old = NOW - timedelta(days=400)
    for customer, visits, spent in ((1, 5, 1.5), (2, 0, float("nan")), (-5, -1, -0.0)):
        write(provider, config, forever, customer, {"visits": visits, "spent": spent}, old)
    write(provider, config, forever, 6, {"visits": None, "spent": 2.0}, old)
    plan = online_plan(config, service, {"short": short, "forever": forever}, {})
    return Stored(feast, plan, url)


def write(provider: Any, config: Any, view: Any, customer: int, row: dict[str, Any], at: datetime) -> None:
    """Store one row as materialization does: values through Feast's own conversion to its messages."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.type_map import python_values_to_proto_values

    key = key_of(customer)
    kinds = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
    messages = [python_values_to_proto_values([key[name]], kinds[name])[0] for name in key]
    entity = EntityKey(join_keys=list(key), entity_values=messages)
    kinds = {field.name: field.dtype.to_value_type() for field in view.features}
    data = {name: python_values_to_proto_values([value], kinds[name])[0] for name, value in row.items()}
    provider.online_write_batch(config, view, [(entity, data, at, None)], None)


def key_of(customer: int) -> dict[str, Any]:
    """Return the entity of one customer."""
    return {"customer": customer, "shop": "Zürich", "branch": -7}


def read(stored: Stored, customers: list[int], budget: float = BUDGET) -> list[FeatureRow]:
    """Read as the server does, in an event loop of its own."""

    async def read() -> list[FeatureRow]:
        store = make_store(stored.url, stored.plan, budget)
        try:
            return await store.read([check_entity(stored.plan, key_of(each)) for each in customers])
        finally:
            await store.close()
            await store.close()

    return asyncio.run(read())


async def until_read(store: OnlineStore, key: dict[str, Any], seconds: float = 10.0) -> FeatureRow:
    """Read until the store answers, or fail at the deadline."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return (await store.read([key]))[0]
            except StoreUnavailable:
                await asyncio.sleep(0.01)
