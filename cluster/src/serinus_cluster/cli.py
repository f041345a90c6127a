"""`serinus-cluster up | down | doctor`: what `make up`, `make down` and `make doctor` call."""

import os
import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serinus_airgap import versions
from serinus_cluster import doctor as examination
from serinus_cluster import situation as situations
from serinus_cluster.acts.choose import act
from serinus_cluster.acts.one_image import build_one
from serinus_cluster.down import down as take_away
from serinus_cluster.edges import docker
from serinus_cluster.edges.alone import alone
from serinus_cluster.edges.kind import Kind
from serinus_cluster.edges.machine import machine
from serinus_cluster.edges.probe import probe
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.edges.tools import find
from serinus_cluster.place import Place
from serinus_cluster.plan import CONTEXT, GATEWAY_URL, SYSTEM, plan
from serinus_cluster.runner import StepFailed, World, run
from serinus_cluster.telling import Lines, save

application = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Wanted = Annotated[
    str,
    typer.Option("--situation", help="online, airgap, or auto: ask the registries (SERINUS_SITUATION too)"),
]


@application.callback()
def cluster() -> None:
    """A kind cluster with all that the platform stands on."""


@application.command()
def up(situation: Wanted = "auto") -> None:
    """Bring the cluster up, or mend what is missing; ends with a prediction, a feature read, a scrape.

    Ends with 0 when they came, with 1 at the first step that failed.
    """
    console = Console(soft_wrap=True)
    place = Place(versions.load())
    lines = Lines(console)

    def bring_up() -> None:
        decision = _decide(situation)
        console.print(f"situation: {decision.situation} ({decision.reason})", highlight=False)
        world = World(
            act=lambda step: act(step.action, place),
            kubectl=lambda words: place.kubectl.attempt(*words, seconds=30),
            memory=lambda: docker.memory(place.node),
            clock=time.monotonic,
            sleep=time.sleep,
        )
        with alone(place.work / "lock", console.print):
            results = run(plan(decision.situation, place.pins), world, lines)
        save(place.work / "up.json", decision.situation, results)
        changed = sum(result.changed for result in results)
        total = sum(result.seconds for result in results)
        console.print(f"up after {total:.1f} s, {changed} of {len(results)} steps had something to do")
        console.print(f"kubectl --context {CONTEXT} ...; models answer at {GATEWAY_URL} under their Host")
        console.print(f"and header x-api-key, a value of Secret serinus-admin-keys in {SYSTEM}")

    try:
        _guarded("up", bring_up)
    finally:
        lines.stop()


@application.command()
def down() -> None:
    """Delete the cluster, the registry and kind's network if nobody else is on it.

    Built images and tools stay, as caches: `make clean` and `docker image prune` take them.
    """
    console = Console(soft_wrap=True)

    def take_down() -> None:
        place = Place(versions.load())
        found = find("kind") or find("kind", place.root / ".serinus" / "tools")
        with alone(place.work / "lock", console.print):
            take_away(Kind(found.path, place.root) if found else None, console.print)

    _guarded("down", take_down)


@application.command()
def doctor(situation: Wanted = "auto") -> None:
    """Say in one screen what is here, what is missing and how to get it.

    Ends with 1 if `up` could not begin.
    """
    console = Console()

    def tell() -> None:
        decision = _decide(situation)
        findings = examination.examine(machine(), decision.situation, versions.load())
        table = Table(title=f"situation: {decision.situation} ({decision.reason})", title_justify="left")
        for column in ("", "part", "found", "how to get it"):
            table.add_column(column, overflow="fold")
        marks = {"ok": "[green]ok", "advice": "[yellow]note", "missing": "[red]MISSING"}
        for finding in findings:
            table.add_row(marks[finding.level], finding.subject, finding.found, finding.cure)
        console.print(table)
        if not examination.ready(findings):
            raise SystemExit(1)

    _guarded("doctor", tell)


@application.command()
def image(
    name: Annotated[str, typer.Argument(help="model-server, mlflow, jobs or operator")],
    tag: Annotated[str, typer.Option(help="the reference that it gets beside its own")],
) -> None:
    """Build one of our images from the sources as they are, and tag it; the Tiltfile calls this."""

    def build() -> None:
        print(build_one(Place(versions.load()), name, tag))

    _guarded("image", build)


def _decide(option: str) -> situations.Decision:
    wanted = situations.asked(option, os.environ.get(situations.VARIABLE))
    return wanted or situations.decide(probe())


def _guarded(command: str, work: Callable[[], None]) -> None:
    """Turn what can be expected to fail into a sentence and an exit code."""
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    try:
        work()
    except (StepFailed, CommandFailed, ValueError) as error:
        errors.print(f"serinus-cluster {command}: {error}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        errors.print(f"serinus-cluster {command}: stopped; run it again to go on")
        raise SystemExit(130) from None


def main() -> None:
    """Run the command line."""
    application()
