"""The long figures: collected while the stories run, printed as a table and kept as JSON."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.figures import FIGURES, HEADER, Row, keep

ROOT = Path(__file__).resolve().parents[4]
FILE = ROOT / ".serinus/cluster/full.json"
ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return a function that keeps a row for the end of the run."""
    return request.config.stash.setdefault(ROWS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("what users got, open loop, no retries")
        terminalreporter.line(HEADER)
        for row in rows:
            terminalreporter.line(row.line())
        keep(FILE, rows, config.stash.get(FIGURES, {}))
