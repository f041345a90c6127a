"""Feast's registry objects to the online plan: names and hashes exactly as its online stores make them."""

from collections.abc import Mapping, Sequence
from typing import Any

from feast import FeatureService, FeatureView, OnDemandFeatureView
from feast.infra.online_stores.helpers import _mmh3, compute_table_id, compute_versioned_name
from feast.repo_config import RepoConfig

from serinus_contracts.expressions import names
from serinus_contracts.plan import JoinKey, OnDemand, OnlinePlan, PlanFeature, PlanView
from serinus_jobs.errors import JobError

EXPRESSION_TAG = "serinus.expression."
_KEY_TYPES = ("INT32", "INT64", "STRING")


def online_plan(
    config: RepoConfig,
    service: FeatureService,
    views: Mapping[str, FeatureView],
    on_demand_views: Mapping[str, OnDemandFeatureView],
) -> OnlinePlan:
    """Return the plan of `service`: its views in the service's order, each with the service's features
    and those that only its on-demand features read.

    Raises JobError for what a server could not read by one key: views with different keys, a key or an
    alias that has no place in the plan, an on-demand view that was not declared as expressions.
    """
    chosen: dict[str, list[str]] = {}
    on_demand: list[OnDemand] = []
    request: list[str] = []
    for projection in service.feature_view_projections:
        if projection.name_alias or projection.join_key_map:
            raise JobError(
                f"feature service {service.name}: view {projection.name} has an alias or a join key map; "
                "the online plan reads views under their own names"
            )
        wanted = [feature.name for feature in projection.features]
        if projection.name in views:
            known = chosen.setdefault(projection.name, [])
            known += [name for name in wanted if name not in known]
        else:
            view = on_demand_views[projection.name]
            on_demand += _expressions(view, wanted)
            fields = [
                field.name for source in view.source_request_sources.values() for field in source.schema
            ]
            request += [name for name in fields if name not in request]
    _add_what_expressions_read(chosen, on_demand, service, on_demand_views, request)
    versioned = config.registry.enable_online_feature_view_versioning
    keys = [_join_keys(views[name]) for name in chosen]
    if any(each != keys[0] for each in keys):
        raise JobError(
            f"feature service {service.name}: its views have different keys; the server reads one key a row"
        )
    return OnlinePlan(
        project=config.project,
        feature_service=service.name,
        join_keys=keys[0] if keys else (),
        views=tuple(_plan_view(config.project, views[name], chosen[name], versioned) for name in chosen),
        on_demand=tuple(on_demand),
        request=tuple(request),
        key_serialization_version=config.entity_key_serialization_version,
    )


def _expressions(view: OnDemandFeatureView, wanted: Sequence[str]) -> list[OnDemand]:
    """Return the wanted features of an on-demand view and the earlier ones that they read."""
    declared: dict[str, OnDemand] = {}
    for field in view.features:
        expression = view.tags.get(EXPRESSION_TAG + field.name)
        if expression is None:
            raise JobError(
                f"on-demand view {view.name}: {field.name} was not declared in on_demand.yaml, "
                "so no server can compute it"
            )
        declared[field.name] = OnDemand(field.name, field.dtype.to_value_type().name, expression)
    needed = set(wanted)
    for name in reversed(declared):
        if name in needed:
            needed |= set(names(declared[name].expression)) & set(declared)
    return [each for name, each in declared.items() if name in needed]


def _add_what_expressions_read(
    chosen: dict[str, list[str]],
    on_demand: Sequence[OnDemand],
    service: FeatureService,
    on_demand_views: Mapping[str, OnDemandFeatureView],
    request: Sequence[str],
) -> None:
    given = {
        *request,
        *(each.name for each in on_demand),
        *(name for each in chosen.values() for name in each),
    }
    missing = [name for each in on_demand for name in names(each.expression) if name not in given]
    for projection in service.feature_view_projections:
        view = on_demand_views.get(projection.name)
        for source in view.source_feature_view_projections.values() if view else ():
            for feature in source.features:
                if feature.name in missing:
                    chosen.setdefault(source.name, []).append(feature.name)
                    missing = [name for name in missing if name != feature.name]


def _join_keys(view: FeatureView) -> tuple[JoinKey, ...]:
    # Feast serialises keys in the order of their names.
    keys = []
    for column in sorted(view.entity_columns, key=lambda each: str(each.name)):
        kind: Any = column.dtype.to_value_type().name
        if kind not in _KEY_TYPES:
            raise JobError(
                f"feature view {view.name}: key {column.name} is {kind}; use {', '.join(_KEY_TYPES)}"
            )
        keys.append(JoinKey(column.name, kind))
    return tuple(keys)


def _plan_view(project: str, view: FeatureView, features: Sequence[str], versioned: bool) -> PlanView:
    name = compute_versioned_name(view, versioned)
    types = {field.name: field.dtype.to_value_type().name for field in view.features}
    return PlanView(
        name=view.name,
        ttl_seconds=int(view.ttl.total_seconds()) if view.ttl else 0,
        features=tuple(
            PlanFeature(feature, types[feature], _mmh3(f"{name}:{feature}").hex()) for feature in features
        ),
        timestamp_field=f"_ts:{name}",
        table=compute_table_id(project, view, versioned),
    )
