"""The door to Feast: apply, training sets, loading the online store, the online plan."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import feast
import pandas as pd
import pyarrow as pa
from feast.diff.registry_diff import extract_objects_for_keep_delete_update_add
from feast.errors import FeastObjectNotFoundException
from feast.infra.provider import get_provider
from feast.utils import _convert_arrow_to_proto, _get_column_names

from serinus_contracts.plan import OnlinePlan
from serinus_jobs import feature_registry
from serinus_jobs.errors import JobError
from serinus_jobs.offline import repository
from serinus_jobs.offline.planning import online_plan
from serinus_jobs.redis_url import answering
from serinus_jobs.settings import Settings

# Said once per process and of no use to whoever runs a verb.
warnings.filterwarnings("ignore", message="On demand feature view is an experimental feature")

_CURE = "start Redis or correct the address, then run it again"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Progress = Callable[[str, int, int], None]

_compared: Any = extract_objects_for_keep_delete_update_add  # untyped in Feast


@dataclass(frozen=True)
class ViewLoad:
    """One view's share of a materialization: the window of event times that was read, and how many keys
    got their newest row of it."""

    view: str
    start: datetime
    end: datetime
    keys: int


@dataclass(frozen=True)
class MaterializeResult:
    """What was written to the online store, view by view."""

    views: tuple[ViewLoad, ...]

    @property
    def keys(self) -> int:
        """Rows written over all views."""
        return sum(each.keys for each in self.views)


class FeatureStore:
    """One feature repository with its registry, tables and online store, by the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._variables = {
            "SERINUS_DATA": str(settings.data),
            "SERINUS_FEAST_REGISTRY": settings.feast_registry or str(settings.data / "registry.db"),
        }
        online = settings.online_store or f"sqlite://{settings.data / 'online.db'}"
        settings.data.mkdir(parents=True, exist_ok=True)
        self._config = repository.configuration(settings.feature_repo, self._variables, online)
        self._store = feast.FeatureStore(config=self._config)

    def apply(self, *, missing_only: bool = False) -> None:
        """Register what the repository declares, and unregister what it no longer does.

        With `missing_only` what is registered already stays, whoever declared it. A view whose features
        changed counts as never loaded: else keys without an event in the next look-back would lack the new
        feature online.
        """
        project = self._config.project
        declared = repository.contents(self._settings.feature_repo, project, self._variables)
        with feature_registry.applying(self._variables["SERINUS_FEAST_REGISTRY"]):
            registry = self._store.registry
            added, removed = _differences(project, registry, declared, missing_only)
            before = {view.name: set(view.features) for view in registry.list_feature_views(project)}
            for view in declared.feature_views:
                if before.get(view.name, set(view.features)) != set(view.features):
                    # Feast carries the old intervals over to a view that comes without any.
                    view.materialization_intervals = [(_EPOCH, _EPOCH)]
            # What is removed is deleted from the online store too.
            with answering("SERINUS_ONLINE_STORE", _CURE):
                self._store.apply(added, objects_to_delete=removed, partial=False)

    def training_frame(self, service: str, labels: pd.DataFrame) -> pd.DataFrame:
        """Return `labels`, in order and with all columns, with the service's features as of each row's
        `event_timestamp` (UTC where it has no zone).

        A feature that has no value then is null. Raises JobError for label rows without the key or the
        time, and when a whole view has no value for any row.
        """
        features = self._service(service)
        job = self._store.get_historical_features(entity_df=labels, features=features)
        frame = job.to_arrow()
        wanted = [feature.name for each in features.feature_view_projections for feature in each.features]
        self._check_not_all_missing(features, frame)
        frame = frame.select([*labels.columns, *wanted])
        for i, field in enumerate(frame.schema):
            # Feast types a computed column by its values, and a column of nulls has none.
            if pa.types.is_null(field.type):
                frame = frame.set_column(i, field.name, frame.column(i).cast(pa.float64()))
        joined: pd.DataFrame = frame.to_pandas()
        return joined

    def windows(self, until: datetime, look_back: timedelta) -> dict[str, tuple[datetime, datetime]]:
        """Return the window of event times that each view's next load reads.

        The first load starts at the oldest event that ttl allows. Later ones start `look_back` before
        the end of the last, for rows that arrived late. A window never ends before an earlier one did:
        so the newest row of a key is always in it, and nothing older can be written over it.
        """
        found = {}
        for view in self._store.list_feature_views():
            end = max(filter(None, (until, view.most_recent_end_time)))
            oldest = end - view.ttl if view.ttl else _EPOCH
            last = view.most_recent_end_time
            found[view.name] = (max(oldest, last - look_back) if last else oldest, end)
        return found

    def materialize(
        self,
        start: datetime,
        end: datetime,
        *,
        views: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> MaterializeResult:
        """Write the newest row of each key whose event lies in [start, end] to the online store.

        All views, or the named. `progress` is called with (view, rows written, rows in all). Feast's
        own loop is not used: it copies the table through pandas at each of its steps, reports nothing,
        and marks the view so that Feast's server refuses reads meanwhile.
        """
        provider = get_provider(self._config)
        loads = []
        for view in self._store.list_feature_views():
            if views is None or view.name in views:
                keys = self._load(provider, view, start, end, progress)
                self._store.registry.apply_materialization(view, self._config.project, start, end)
                loads.append(ViewLoad(view.name, start, end, keys))
        return MaterializeResult(tuple(loads))

    def plan(self, service: str) -> OnlinePlan:
        """Return what a server needs to read the service's features without this registry."""
        return online_plan(
            self._config,
            self._service(service),
            {view.name: view for view in self._store.list_feature_views()},
            {view.name: view for view in self._store.list_on_demand_feature_views()},
        )

    def online(self, service: str, entity_rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
        """Return Feast's own answer for the entity rows: each feature and key by name."""
        features = self._service(service)
        with answering("SERINUS_ONLINE_STORE", _CURE):
            answer = self._store.get_online_features(features=features, entity_rows=entity_rows)
        return dict(answer.to_dict())

    def _load(
        self,
        provider: Any,
        view: feast.FeatureView,
        start: datetime,
        end: datetime,
        progress: Progress | None,
    ) -> int:
        source: Any = view.batch_source
        entities = [self._store.get_entity(name) for name in view.entities]
        keys, features, time, created = _get_column_names(view, entities)
        table = provider.offline_store.pull_latest_from_table_or_query(
            self._config, source, keys, features, time, created, start, end
        ).to_arrow()
        table = table.rename_columns([source.field_mapping.get(name, name) for name in table.column_names])
        types = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
        written = 0
        for batch in table.to_batches(
            max_chunksize=self._config.materialization_config.online_write_batch_size
        ):
            rows = _convert_arrow_to_proto(batch, view, types)
            with answering("SERINUS_ONLINE_STORE", _CURE):
                provider.online_write_batch(self._config, view, rows, progress=None)
            written += batch.num_rows
            if progress:
                progress(view.name, written, table.num_rows)
        return written

    def _service(self, name: str) -> feast.FeatureService:
        try:
            with feature_registry.reachable(self._variables["SERINUS_FEAST_REGISTRY"]):
                return self._store.get_feature_service(name)
        except FeastObjectNotFoundException:
            known = ", ".join(each.name for each in self._store.list_feature_services()) or "none"
            raise JobError(
                f"feature service {name!r} is not in the registry (there: {known}); "
                "`serinus-jobs materialize` applies the repository"
            ) from None

    def _check_not_all_missing(self, service: feast.FeatureService, frame: pa.Table) -> None:
        for projection in service.feature_view_projections:
            columns = [frame.column(feature.name) for feature in projection.features]
            if columns and all(column.null_count == len(column) for column in columns):
                raise JobError(
                    f"feature view {projection.name}: no label row has any value. Is the table empty, are "
                    "its rows older than ttl, or was created_timestamp set by a later load? A value "
                    "counts only from its creation on"
                )


def _differences(
    project: str, registry: Any, declared: Any, missing_only: bool
) -> tuple[list[Any], list[Any]]:
    """Return what is to be applied, and what is to be deleted."""
    _, removed, changed, missing = _compared(registry, project, declared)
    wanted = [missing] if missing_only else [missing, changed]
    applied = [each for found in wanted for kind in found.values() for each in kind]
    return applied, [] if missing_only else [each for kind in removed.values() for each in kind]
