"""`serinus-jobs <verb>`: finds the verb's file, runs its command, maps errors to exit codes."""

import importlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from serinus_jobs.errors import JobError
from serinus_jobs.room import advice, is_used_up
from serinus_jobs.settings import Settings

# One verb, one file. The line is what `serinus-jobs --help` shows.
VERBS = {
    "generate": "write the seeded churn events and labels (1,000 customers x 90 days)",
    "ingest": "check a CSV, Parquet or SQL table and write day partitions; refuse bad rows with a reason",
    "materialize": "apply the feature repository and load the online store",
    "trials": "one part of the search, for an Indexed Job; train takes up what it scored",
    "train": "search, fit, export to ONNX, log to MLflow; prints the run id",
    "evaluate": "judge a run by the gates of model.yaml",
    "register": "register a run that passed its gates, with alias, tags and approval",
    "promote": "make a version the champion, once its canary was promoted by hand",
    "pipeline": "materialize, train, evaluate and register in order",
    "batch": "predict a CSV, Parquet file or SQL table with a fetched model",
    "collect": "turn the servers' prediction log into Parquet by day and revision",
    "labels": "take in labels that came late, by prediction id",
    "quality": "metrics with intervals per revision and window, from joined labels",
    "drift": "compare a window of the log with the training data",
}


def main(arguments: list[str] | None = None) -> None:
    """Run one verb. Exit codes: 0 done, 1 a fault of ours, 2 bad input, 3 a gate said no, 130 Ctrl-C,
    143 SIGTERM."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in ("-h", "--help"):
        width = max(map(len, VERBS))
        print("usage: serinus-jobs VERB [OPTIONS]\n")
        print("\n".join(f"  {verb:<{width}}  {line}" for verb, line in VERBS.items()))
        raise SystemExit(0 if given else 2)
    verb, *rest = given
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    if verb not in VERBS:
        errors.print(f"serinus-jobs: {verb!r} is no verb; verbs are {', '.join(VERBS)}")
        raise SystemExit(2)
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command(help=VERBS[verb])(importlib.import_module(f"serinus_jobs.{verb}").command)
    try:
        with _terminable():
            application(args=rest, prog_name=f"serinus-jobs {verb}")
    except JobError as error:
        errors.print(f"serinus-jobs {verb}: {error}")
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if is_used_up(error):
            # What writes a file complains once more when it is thrown away, below our line.
            sys.unraisablehook = lambda _: None
            places = (Settings.from_environment().data, Path(tempfile.gettempdir()))
            errors.print(f"serinus-jobs {verb}: {advice(places)}")
            raise SystemExit(1) from None
        if error.filename is None:
            raise  # no file that a user named: a fault of ours, which needs its traceback
        errors.print(
            f"serinus-jobs {verb}: {error.filename}: {error.strerror}; check the path and its rights"
        )
        raise SystemExit(2) from None


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the verb as Ctrl-C does, with its temporary files removed.

    A container's first process has no default for that signal: it would be killed at the end of its grace.
    """

    def end(*_: object) -> NoReturn:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
