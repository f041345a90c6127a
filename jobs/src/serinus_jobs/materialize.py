"""The verb `materialize`: apply the feature repository, load the newest values into the online store."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from serinus_jobs.errors import JobError
from serinus_jobs.feature_store import FeatureStore, MaterializeResult, ViewLoad
from serinus_jobs.settings import Settings

LOOK_BACK = timedelta(days=7)


def run(
    settings: Settings,
    *,
    until: datetime | None = None,
    look_back: timedelta = LOOK_BACK,
    missing_only: bool = False,
) -> MaterializeResult:
    """Apply, then load each registered view with what is known at `until` (now by default; UTC without a
    zone). `missing_only` is FeatureStore.apply's.

    Each run reads again `look_back` before the end of the last one, so a row that arrives at most that
    late is picked up. Running twice writes the same values. Raises JobError when a table is missing.
    """
    if look_back < timedelta(0):
        raise JobError(f"--look-back-days {look_back.days}: must not be negative")
    end = until or datetime.now(UTC)
    if end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    store = FeatureStore(settings)
    store.apply(missing_only=missing_only)
    loads: list[ViewLoad] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bars:
        for view, (start, stop) in store.windows(end, look_back).items():
            task = bars.add_task(view, total=None)

            def written(_: str, done: int, total: int, task: TaskID = task) -> None:
                bars.update(task, completed=done, total=total)

            loads += store.materialize(start, stop, views=[view], progress=written).views
    return MaterializeResult(tuple(loads))


def command(
    until: Annotated[datetime | None, typer.Option(help="load what is known at this time (UTC)")] = None,
    look_back_days: Annotated[float, typer.Option(help="read again this much, for late rows")] = 7.0,
    apply_only: Annotated[bool, typer.Option(help="apply the repository and load nothing")] = False,
    missing_only: Annotated[
        bool, typer.Option(help="register what is missing; what is registered stays, whoever declared it")
    ] = False,
) -> None:
    """Materialize and say what was written."""
    if apply_only:
        FeatureStore(Settings.from_environment()).apply(missing_only=missing_only)
        print("the feature repository is applied")
        return
    result = run(
        Settings.from_environment(),
        until=until,
        look_back=timedelta(days=look_back_days),
        missing_only=missing_only,
    )
    for load in result.views:
        window = f"{load.start:%Y-%m-%d %H:%M} to {load.end:%Y-%m-%d %H:%M}"
        print(f"{load.view}: {load.keys} keys, events {window} UTC")
