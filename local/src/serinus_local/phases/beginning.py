"""From nothing to a first model that answers users: data, features, training, gate, registry, servers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serinus_jobs import ingest, materialize
from serinus_jobs.settings import Settings
from serinus_local.phases import models, platform
from serinus_local.phases.serving import Serving
from serinus_local.processes import Child
from serinus_local.run import Run
from serinus_local.world import Window, World

_DAYS = 90
_CHAMPION_AGE = timedelta(days=30)
# A first model: fewer and shallower trees than model.yaml asks for, so that there is something to improve.
SMALL: dict[str, Any] = {"grid": {"max_depth": [2, 3, 4]}, "params": {"n_estimators": 20}}


@dataclass(frozen=True)
class House:
    """What stands once the first model serves. `before` is the history that it was built on."""

    world: World
    before: Window
    serving: Serving

    def folder(self, registered: models.Registered) -> Path:
        """Return where a served version was fetched to."""
        return self.serving.fleet.folder / f"{self.serving.model}-{registered.version}"


def build(run: Run, registry: Child, url: str) -> House:
    """Build everything up to the first answered user."""
    options = run.options
    world = World(
        options.work / "world",
        customers=options.customers,
        seed=options.seed,
        origin=datetime.now(UTC).date() - timedelta(days=_DAYS),
    )
    with run.phase("data", f"{_DAYS} days of {options.customers} customers: generate and ingest"):
        before = world.live(_DAYS)
        take_in(run, "customers", before.events, run.settings)
        take_in(run, "churn_labels", before.labels, run.settings)
    with run.phase("features", "Features: apply the repository, load the online store"):
        load_online(run, before)
    with run.phase("champion", "Train, judge and register the first model"):
        platform.wait_registry(registry, url, run.processes)
        name, known = "champion of last month", before.end_time - _CHAMPION_AGE
        trained = models.train_model(run, name, known, **SMALL)
        judged = models.evaluate_model(run, name, trained.run_id, known)
        first = models.register_model(
            run, name, trained, judged, "The first model; there is no champion yet."
        )
        run.expect(
            "the first model passes its gates and becomes champion",
            judged.passed and first.alias == "champion",
            f"version {first.version} is {first.alias}",
        )
    serving = Serving(run, url, world.traffic(before, options.model_dir.name))
    with run.phase("serve", f"Serve it behind Envoy; {options.rate:g} requests a second from now on"):
        serving.open(first)
    return House(world, before, serving)


def take_in(run: Run, table: str, source: Path, settings: Settings) -> None:
    """Ingest one table and note the accounts."""
    took = ingest.run(run.options.model_dir, table, str(source), settings)
    run.decided(
        "ingest",
        f"{took.written} rows of {table}",
        "good" if took.written and not took.quarantined else "neutral",
        f"{took.read} read, {took.quarantined} quarantined.",
        digest=took.digest[:12],
        partitions=len(took.partitions),
    )


def load_online(run: Run, window: Window) -> None:
    """Load the online store with what is known at the window's end."""
    loaded = materialize.run(run.settings, until=window.end_time)
    keys = {each.view: each.keys for each in loaded.views}
    run.decided("features", f"{loaded.keys} rows online", "neutral", f"As of {window.end}.", **keys)
