"""`serinus-local demo`: the whole loop on this machine."""

import signal
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from serinus_jobs.errors import JobError
from serinus_local import demo as loop
from serinus_local.processes import LocalError
from serinus_local.run import Options
from serinus_operator.adapters.registry import RegistryUnavailable

application = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@application.callback()
def local() -> None:
    """The loop of Serinus on one machine, without a cluster."""


@application.command()
def demo(
    work: Annotated[Path, typer.Option(help="work folder, wiped at the start")] = Path(".serinus/demo"),
    seed: Annotated[int, typer.Option(min=0, help="seed of the customers")] = 7,
    rate: Annotated[float, typer.Option(min=50, max=1000, help="requests a second, open loop")] = 200.0,
    open_report: Annotated[bool, typer.Option("--open", help="open the report in a browser")] = False,
    model_dir: Annotated[Path, typer.Option(help="the model project")] = Path("manifests/models/churn"),
    feature_repo: Annotated[Path, typer.Option(help="the feature repository")] = Path("feature_repo"),
) -> None:
    """Take a churn model through its whole life and write a report. Minutes.

    Ends with 0 if everything happened that had to, else with 1; with 2 where it could not run; 130 at Ctrl-C.
    """
    console, errors = (
        Console(soft_wrap=True),
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False),
    )
    for folder in (model_dir, feature_repo):
        if not folder.is_dir():
            errors.print(f"serinus-local demo: {folder} is missing; run it from the root of the repository")
            raise SystemExit(2)
    signal.signal(signal.SIGTERM, _interrupt)
    options = Options(work.absolute(), model_dir, feature_repo, seed, rate)
    page = options.work / "report.html"
    try:
        timeline = loop.run(options, console)
    except (LocalError, JobError, RegistryUnavailable) as error:
        errors.print(f"serinus-local demo: {error}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        errors.print("serinus-local demo: stopped; everything that was started has been ended")
        raise SystemExit(130) from None
    console.print()
    for each in timeline.expected:
        console.print(
            f"  {'yes' if each.met else 'NO '}  {each.what}: {each.found}", highlight=False, markup=False
        )
    minutes, seconds = divmod(int(timeline.seconds), 60)
    console.print(f"\n{minutes}:{seconds:02d} in all. The report: {page}", highlight=False)
    if open_report:
        webbrowser.open(page.as_uri())
    raise SystemExit(0 if timeline.passed else 1)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    application(args=sys.argv[1:], prog_name="serinus-local")
