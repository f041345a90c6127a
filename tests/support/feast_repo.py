"""Small feature stores on one Parquet file a view, for tests that compare offline stores."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.repo_config import RepoConfig
from feast.types import Float64, Int64, String

OURS = {"type": "serinus_jobs.offline.asof.AsOfOfflineStore"}
FEASTS = {"type": "duckdb"}
ORIGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEATURES = ("amount", "visits", "city")


def open_store(folder: Path, offline: dict[str, Any], objects: Sequence[Any]) -> FeatureStore:
    """Return a Feast store of its own registry with `objects` applied."""
    folder.mkdir(parents=True, exist_ok=True)
    config = RepoConfig(
        project="tests",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store=offline,
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    store.apply(list(objects))
    return store


def entity(name: str = "customer") -> Entity:
    return Entity(name=name, join_keys=[f"{name}_id"], value_type=ValueType.INT64)


def view(
    name: str, path: Path, ttl: timedelta | None, of: Entity, mapping: dict[str, str] | None = None
) -> FeatureView:
    """Return a view over `path` whose features are FEATURES, each with the view's name in front."""
    kinds = {"amount": Float64, "visits": Int64, "city": String}
    return FeatureView(
        name=name,
        entities=[of],
        ttl=ttl,
        source=FileSource(
            name=f"{name}_source",
            path=str(path),
            file_format=ParquetFormat(),
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
            field_mapping=mapping or {},
        ),
        schema=[
            Field(name=of.join_key, dtype=Int64),
            *(Field(name=f"{name}_{feature}", dtype=kind) for feature, kind in kinds.items()),
        ],
    )


def random_history(rng: np.random.Generator, name: str, rows: int, keys: int, key: str) -> pd.DataFrame:
    """Return rows on a coarse grid of hours, so that ties, ttl edges and equal times are common.

    Some rows are created before their event, some long after it, some features are null. No two rows
    share key, event and creation: between such twins either answer would be right.
    """
    event = rng.integers(0, 48, rows)
    created = event + rng.choice([-2, 0, 0, 1, 3, 12, 30], rows)
    frame = pd.DataFrame(
        {
            key: rng.integers(1, keys + 1, rows),
            "event_timestamp": _moments(event),
            "created_timestamp": _moments(created),
            f"{name}_amount": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows).round(3)),
            f"{name}_visits": pd.array(np.arange(rows), dtype="Int64"),
            f"{name}_city": rng.choice(["Bern", "Zug", None], rows),
        }
    )
    frame.loc[rng.random(rows) < 0.1, f"{name}_visits"] = pd.NA
    return frame.drop_duplicates([key, "event_timestamp", "created_timestamp"], ignore_index=True)


def random_labels(rng: np.random.Generator, rows: int, keys: int, *columns: str) -> pd.DataFrame:
    """Return label rows with a running number, also for keys that have no history."""
    frame = pd.DataFrame({"row": np.arange(rows), "event_timestamp": _moments(rng.integers(-2, 60, rows))})
    for column in columns:
        frame[column] = rng.integers(1, keys + 3, rows)
    return frame


def _moments(hours: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([ORIGIN + int(hour) * HOUR for hour in hours]).as_unit("us")
