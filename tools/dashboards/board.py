"""What all boards share: one data source, panels with a unit and a sentence, a grid that fills itself."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

TAG = "serinus"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${source}")
# Widths of 24 columns.
QUARTER, THIRD, HALF, WHOLE = 6, 8, 12, 24
Panel = timeseries.Panel | stat.Panel | table.Panel


@dataclass(frozen=True)
class Query:
    """One PromQL expression and the legend of its series, which may name labels as `{{model}}`."""

    expression: str
    legend: str = ""


def _target(
    query: Query, number: int, *, instant: bool = False, as_table: bool = False
) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .expr(" ".join(query.expression.split()))
        .legend_format(query.legend or "__auto")
        .ref_id(chr(ord("A") + number))
    )
    target = target.instant() if instant else target.range()
    if as_table:
        target = target.format(prometheus_models.PromQueryFormat.TABLE)
    return target


def lines(
    title: str, says: str, unit: str, *queries: Query, width: int = HALF, stacked: bool = False
) -> timeseries.Panel:
    """Return a panel of series over time.

    Args:
        title: what is shown.
        says: what a reader should look for.
        unit: a unit of Grafana's, such as `s` or `percentunit`.
        queries: at least one.
        width: columns of 24.
        stacked: whether the series add up to a whole.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .line_width(1)
        .fill_opacity(25 if stacked else 8)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number))
    return panel


def number(
    title: str,
    says: str,
    unit: str,
    query: Query,
    *,
    bad_above: float | None = None,
    bad_below: float | None = None,
    width: int = QUARTER,
) -> stat.Panel:
    """Return one number as of now, green and beyond a limit red."""
    steps = [models.Threshold(value=None, color="green")]
    if bad_above is not None:
        steps.append(models.Threshold(value=bad_above, color="red"))
    if bad_below is not None:
        steps = [models.Threshold(value=None, color="red"), models.Threshold(value=bad_below, color="green")]
    return (
        stat.Panel()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(4)
        .graph_mode(common_models.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common_models.BigValueColorMode.VALUE)
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(_target(query, 0))
    )


def rows(title: str, says: str, *queries: Query, unit: str = "short", width: int = WHOLE) -> table.Panel:
    """Return a table of what there is now, one row a series."""
    panel = table.Panel().title(title).description(says).datasource(SOURCE).unit(unit).span(width).height(8)
    for index, query in enumerate(queries):
        panel = panel.with_target(_target(query, index, instant=True, as_table=True))
    if len(queries) > 1:
        panel = panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    return panel.with_transformation(
        models.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    )


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Return a variable that takes the values of a label; more than one may be chosen, at first all."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _placed(sections: Sequence[tuple[str, Sequence[Panel]]]) -> Iterator[models.Panel | models.RowPanel]:
    """Yield headings and panels with numbers and places: from left to right, wrapped at 24 columns."""
    numbers, y = itertools.count(1), 0
    for heading, panels in sections:
        row = (
            dashboard.Row(heading).id(next(numbers)).grid_pos(models.GridPos(h=1, w=WHOLE, x=0, y=y)).build()
        )
        yield row
        x, y, highest = 0, y + 1, 0
        for builder in panels:
            panel = builder.id(next(numbers)).build()
            size = panel.grid_pos or models.GridPos()
            if x + size.w > WHOLE:
                x, y, highest = 0, y + highest, 0
            panel.grid_pos = models.GridPos(h=size.h, w=size.w, x=x, y=y)
            x, highest = x + size.w, max(highest, size.h)
            yield panel
        y += highest


def board(
    uid: str,
    title: str,
    says: str,
    sections: Sequence[tuple[str, Sequence[Panel]]],
    *,
    variables: Sequence[dashboard.QueryVariable] = (),
    since: str = "now-1h",
) -> models.Dashboard:
    """Return a board of sections with a heading each.

    Args:
        uid: its lasting name: links and the file are called so.
        title: as people read it.
        says: one sentence for the list of boards.
        sections: heading and panels; panels flow from left to right.
        variables: what a reader may choose, besides the data source.
        since: the time range at first.
    """
    others = dashboard.DashboardLink("Serinus").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    builder = (
        dashboard.Dashboard(f"Serinus / {title}")
        .uid(f"serinus-{uid}")
        .description(says)
        .tags([TAG])
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .link(others.as_dropdown(True).keep_time(True))
        .with_variable(dashboard.DatasourceVariable("source").label("Data source").type("prometheus"))
    )
    for variable in variables:
        builder = builder.with_variable(variable)
    made = builder.build()
    made.panels = list(_placed(sections))
    return made
