"""The plug-in: `offline_store: {type: serinus_jobs.offline.asof.AsOfOfflineStore}` in feature_store.yaml.

Feast finds the configuration as `<class>Config` in the same module, and calls the methods below with
its own objects; what they need of those is taken out here, the reading is in the other files.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa
from feast import FeatureView, FileSource, OnDemandFeatureView
from feast.data_source import DataSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalMetadata
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from serinus_jobs.errors import JobError
from serinus_jobs.offline import engine, entities, sql
from serinus_jobs.offline.retrieval import ArrowRetrievalJob

TYPE = "serinus_jobs.offline.asof.AsOfOfflineStore"


class AsOfOfflineStoreConfig(FeastConfigBaseModel):
    """Options under `offline_store` in feature_store.yaml.

    memory_limit, temp_directory, threads: what DuckDB may use; beyond the memory it spills what it can.
    filter_by_created_timestamp: a value counts only from the moment it was created. Feast has this off
        by default, and then a row that arrived late leaks into training rows of before.
    """

    type: Literal["serinus_jobs.offline.asof.AsOfOfflineStore"] = TYPE  # type: ignore[assignment]
    memory_limit: str = "512MB"
    temp_directory: str | None = None
    threads: int | None = None
    filter_by_created_timestamp: bool = True


class AsOfOfflineStore(OfflineStore):
    """Reads Parquet FileSources (a file, a folder's glob, day partitions)."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: Sequence[FeatureView],
        feature_refs: list[str],
        entity_df: "pd.DataFrame | pa.Table | str | None",
        registry: Any,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **ranges: Any,
    ) -> ArrowRetrievalJob:
        """Return the label rows, in their order and with all their columns, with each view's features
        as of each row's time.

        The option of the configuration and the argument turn the filter by creation on together.
        """
        if entity_df is None or ranges:
            raise JobError("a range of dates without label rows is not supported; give label rows")
        options: AsOfOfflineStoreConfig = config.offline_store
        as_known = options.filter_by_created_timestamp or filter_by_created_timestamp
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        query, given = "", None
        bounds: tuple[datetime, datetime] | tuple[()] = ()
        if isinstance(entity_df, str):
            query = entity_df
        else:
            given = entities.as_arrow(entity_df)
            bounds = entities.span(given, entities.time_column(given))

        def read() -> pa.Table:
            with engine.connection(_limits(options)) as opened:
                rows = entities.from_sql(query, opened) if given is None else given
                reads = [
                    _view_read(config, opened, v, feature_refs, full_feature_names) for v in feature_views
                ]
                return _joined(opened, rows, reads, as_known)

        return ArrowRetrievalJob(
            read,
            on_demand,
            full_feature_names,
            RetrievalMetadata(feature_refs, _label_keys(feature_views), *bounds),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> ArrowRetrievalJob:
        """Return each key's newest row of the window: what materialization writes."""
        options: AsOfOfflineStoreConfig = config.offline_store

        def read() -> pa.Table:
            with engine.connection(_limits(options)) as opened:
                source = _source(config, opened, data_source, timestamp_field, created_timestamp_column)
                query = sql.latest(
                    source, join_key_columns, feature_name_columns, start_date, end_date,
                    as_known=options.filter_by_created_timestamp,
                )  # fmt: skip
                return engine.table(opened, query, f"source {data_source.name}")

        return ArrowRetrievalJob(read)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> ArrowRetrievalJob:
        """Return all rows of the window."""
        options: AsOfOfflineStoreConfig = config.offline_store

        def read() -> pa.Table:
            with engine.connection(_limits(options)) as opened:
                source = _source(config, opened, data_source, timestamp_field, created_timestamp_column)
                query = sql.everything(source, join_key_columns, feature_name_columns, start_date, end_date)
                return engine.table(opened, query, f"source {data_source.name}")

        return ArrowRetrievalJob(read)


def _joined(
    opened: duckdb.DuckDBPyConnection, rows: pa.Table, reads: Sequence[sql.ViewRead], as_known: bool
) -> pa.Table:
    """Append each view's features to the label rows. One view at a time: the label rows' own columns
    never pass through the database, and its memory is that of one view."""
    time = entities.time_column(rows)
    for read in reads:
        taken = [name for _, name in read.features if name in rows.column_names]
        if taken:
            raise JobError(
                f"label rows: column {taken[0]!r} has the name of a feature of {read.source.view}; "
                "rename or drop it"
            )
    answer = rows
    start, end = entities.span(rows, time)
    for read in reads:
        opened.register(sql.LABELS, entities.keyed(rows, [label for _, label in read.keys], time))
        query = sql.point_in_time(read, start, end, as_known=as_known)
        by = ", ".join(label for _, label in read.keys)
        features = engine.table(opened, query, f"feature view {read.source.view}, joined by {by}")
        opened.unregister(sql.LABELS)
        for name in features.column_names:
            answer = answer.append_column(name, features.column(name))
    return answer


def _view_read(
    config: RepoConfig,
    opened: duckdb.DuckDBPyConnection,
    view: FeatureView,
    feature_refs: Sequence[str],
    full_feature_names: bool,
) -> sql.ViewRead:
    batch = view.batch_source
    if batch is None:
        raise JobError(f"feature view {view.name}: has no batch source to read from")
    stored = {mapped: column for column, mapped in batch.field_mapping.items()}
    projection: Any = view.projection
    prefix = projection.name_to_use() + ":"
    label_of = projection.join_key_map
    features = [ref.removeprefix(prefix) for ref in feature_refs if ref.startswith(prefix)]
    base = projection.name_alias or view.name
    time, created = batch.timestamp_field, batch.created_timestamp_column
    return sql.ViewRead(
        source=_source(
            config, opened, batch, stored.get(time, time), stored.get(created, created), view.name
        ),
        keys=tuple(
            (stored.get(column.name, column.name), label_of.get(column.name, column.name))
            for column in view.entity_columns
        ),
        features=tuple(
            (stored.get(name, name), f"{base}__{name}" if full_feature_names else name) for name in features
        ),
        ttl=view.ttl or None,
    )


def _source(
    config: RepoConfig,
    opened: duckdb.DuckDBPyConnection,
    source: DataSource,
    time: str,
    created: str | None,
    view: str | None = None,
) -> sql.Source:
    name = view or source.name
    if not isinstance(source, FileSource):
        raise JobError(
            f"feature view {name}: source {source.name!r} is a {type(source).__name__}; "
            "this offline store reads Parquet FileSources"
        )
    path = FileSource.get_uri_for_file_path(repo_path=config.repo_path, uri=source.path)
    types = engine.column_types(opened, name, path)
    return sql.Source(view=name, path=path, time=time, created=created or None, types=types)


def _label_keys(views: Sequence[FeatureView]) -> list[str]:
    found = [
        view.projection.join_key_map.get(column.name, column.name)
        for view in views
        for column in view.entity_columns
    ]
    return list(dict.fromkeys(found))


def _limits(options: AsOfOfflineStoreConfig) -> engine.Limits:
    return engine.Limits(options.memory_limit, options.temp_directory, options.threads)
