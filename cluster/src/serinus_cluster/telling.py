"""What a run shows: a spinner and a table on a terminal, plain lines elsewhere; and the figures as a file."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.status import Status

from serinus_cluster.runner import Result
from serinus_cluster.steps import Step

MEBIBYTE = 1024 * 1024


class Lines:
    """One line a step, with its seconds and the node's memory after it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._name = ""

    def begin(self, number: int, total: int, step: Step) -> None:
        """Show which step of how many is under way."""
        self._name = f"[{number:2}/{total}] {step.name}"
        if self._console.is_terminal:
            self._status = self._console.status(self._name)
            self._status.start()

    def detail(self, words: str) -> None:
        """Show what is done within the step."""
        if self._status:
            self._status.update(f"{self._name}: {words}")
        else:
            self._print(f"{self._name}: {words}")

    def end(self, result: Result) -> None:
        """Show what the step took."""
        self.stop()
        memory = f"{result.memory / MEBIBYTE:6.0f} MiB" if result.memory is not None else "         -"
        self._print(f"{self._name:<28} {result.seconds:7.1f} s {memory}  {result.words}")

    def stop(self) -> None:
        """Take the spinner away, so that an error stands alone."""
        if self._status:
            self._status.stop()
            self._status = None

    def _print(self, words: str) -> None:
        self._console.print(words, markup=False, highlight=False)


def save(path: Path, situation: str, results: Sequence[Result]) -> None:
    """Write the figures of a run, for CI and for the page of measured figures."""
    steps = [
        {
            "step": result.step,
            "changed": result.changed,
            "seconds": round(result.seconds, 2),
            "node_memory_bytes": result.memory,
        }
        for result in results
    ]
    total = round(sum(result.seconds for result in results), 2)
    figures = {"situation": situation, "seconds": total, "steps": steps}
    path.write_text(json.dumps(figures, indent=2) + "\n")
