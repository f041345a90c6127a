import io

import pytest
from rich.console import Console

from serinus_jobs.progress import Steps


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_show_on_a_terminal_only_and_add_up(terminal: bool) -> None:
    shown = io.StringIO()
    steps = Steps("train", Console(file=shown, force_terminal=terminal))
    for name in ("fit", "log", "fit"):
        with steps.step(name):
            pass
    assert list(steps.seconds) == ["fit", "log"]
    assert ("train: fit" in shown.getvalue()) is terminal


def test_a_step_that_fails_still_counts() -> None:
    steps = Steps("train", Console(file=io.StringIO()))
    with pytest.raises(ValueError, match="no"), steps.step("fit"):
        raise ValueError("no")
    assert steps.seconds["fit"] >= 0.0
