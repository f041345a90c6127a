"""`serinus-judge`: cumulative counters in, one JSON verdict a line out. The thin edge of the judge."""

import json
import os
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from serinus_contracts.documents import from_document
from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout.counters import CounterError, parse_line
from serinus_operator.rollout.judge import judge
from serinus_operator.rollout.policy import Policy, PolicyError, parse_policy
from serinus_operator.rollout.record import RecordError, make_record, parse_record, replay
from serinus_operator.rollout.state import JudgeState

_LONGEST_LINE = 1 << 20
_application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@_application.command()
def _command(
    policy: Annotated[Path | None, typer.Option(help="Policy, YAML or JSON.")] = None,
    counters: Annotated[
        str | None, typer.Option(help="Counters, one JSON object a line; - is stdin.")
    ] = None,
    expectation: Annotated[
        Path | None, typer.Option(help="How both models score the newest data (JSON), for `predictions`.")
    ] = None,
    records: Annotated[Path | None, typer.Option(help="Write a decision record a line here.")] = None,
    replay: Annotated[str | None, typer.Option(help="Judge these records again; - is stdin.")] = None,
) -> None:
    """Judge a canary from cumulative counters, one verdict a line; or replay recorded decisions.

    Exit codes: 0 done, 1 a replayed verdict differs or the output cannot be written, 2 bad input, 130 Ctrl-C.
    """
    try:
        if replay is not None:
            if policy or counters or expectation or records:
                raise _Bad("--replay takes all from its records; leave the other options out")
            _replay(replay)
        elif policy is None or counters is None:
            raise _Bad("give --policy and --counters, or --replay")
        else:
            _judge(_read_policy(policy), counters, _read_expectation(expectation), records)
    except (_Bad, PolicyError, CounterError, RecordError) as error:
        print(f"serinus-judge: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except BrokenPipeError:
        # A reader that goes away ends this as quietly as `cat`. The interpreter flushes stdout once more
        # at exit: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except OSError as error:
        print(f"serinus-judge: {records or 'output'}: cannot be written: {error.strerror}", file=sys.stderr)
        # What stdout could not take must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


class _Bad(Exception):
    """Input that cannot be used; ends with exit code 2."""


def _judge(policy: Policy, counters: str, expectation: ScoreExpectation | None, records: Path | None) -> None:
    state = JudgeState(expectation=expectation)
    previous = ""
    number = 0
    if records and records.exists() and Path(counters).exists() and records.samefile(counters):
        raise _Bad(f"{records}: is the counters' own file; records would overwrite it")
    try:
        sink = records.open("w") if records else nullcontext()
    except OSError as error:
        raise _Bad(f"{records}: cannot be written: {error.strerror}") from None
    with sink as file:
        for number, line in _lines(counters):
            sample = parse_line(line, number, _name(counters))
            before = state
            state, verdict = judge(policy, before, sample)
            print(json.dumps(asdict(verdict), allow_nan=False), flush=True)
            if file is not None:
                record = make_record(policy, before, sample, verdict, previous)
                previous = record.digest
                file.write(record.to_json() + "\n")
    if not number:
        raise _Bad(f"{_name(counters)}: holds no line of counters, so there is nothing to judge")


def _replay(source: str) -> None:
    previous: str | None = None
    for number, line in _lines(source):
        place = f"{_name(source)} line {number}"
        record = parse_record(line, place)
        # A record without one before it begins the chain of another rollout.
        if previous is not None and record.previous and record.previous != previous:
            raise RecordError(f"{place}: previous: the record before it is missing or was replaced")
        previous = record.digest
        verdict = replay(record)
        print(json.dumps(asdict(verdict), allow_nan=False), flush=True)
        if verdict != record.verdict:
            print(
                f"serinus-judge: {place}: recorded {record.verdict.verdict!r}, now {verdict.verdict!r}",
                file=sys.stderr,
            )
            raise typer.Exit(1)


def _lines(source: str) -> Iterable[tuple[int, str]]:
    """Yield numbered lines that are not blank, as they come."""
    number = 0
    try:
        with nullcontext(sys.stdin.buffer) if source == "-" else Path(source).open("rb") as file:
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise _Bad(f"{_name(source)} line {number}: longer than {_LONGEST_LINE} bytes")
                if line.strip():
                    yield number, line.decode()
    except UnicodeDecodeError as error:
        raise _Bad(f"{_name(source)} line {number}: not UTF-8: {error.reason}") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _Bad(f"{source}: cannot be read: {error.strerror}") from None


def _name(source: str) -> str:
    return "standard input" if source == "-" else source


def _read_policy(path: Path) -> Policy:
    return parse_policy(_read(path), str(path))


def _read_expectation(path: Path | None) -> ScoreExpectation | None:
    if path is None:
        return None
    try:
        return from_document(ScoreExpectation, json.loads(_read(path)))
    except (ValueError, RecursionError) as error:
        raise _Bad(f"{path}: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise _Bad(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _Bad(f"{path}: not UTF-8") from None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line with `arguments` (sys.argv's by default)."""
    _application(args=arguments, prog_name="serinus-judge")
