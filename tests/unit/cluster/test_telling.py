"""What a run shows where there is no terminal, and the figures it leaves."""

import io
import json
from pathlib import Path

from rich.console import Console

from serinus_cluster.runner import Result
from serinus_cluster.steps import Await, Step
from serinus_cluster.telling import MEBIBYTE, Lines, save


def test_plain_lines_name_step_seconds_and_memory():
    out = io.StringIO()
    lines = Lines(Console(file=out, soft_wrap=True, width=200))
    lines.begin(3, 20, Step("cluster", Await(), 60))
    lines.detail("no such [cluster]")
    lines.end(Result("cluster", True, "made", 12.345, 700 * MEBIBYTE))
    lines.begin(4, 20, Step("wiring", Await(), 60))
    lines.end(Result("wiring", False, "in place", 0.1, None))
    assert out.getvalue().splitlines() == [
        "[ 3/20] cluster: no such [cluster]",
        "[ 3/20] cluster                 12.3 s    700 MiB  made",
        "[ 4/20] wiring                   0.1 s          -  in place",
    ]


def test_the_figures_of_a_run(tmp_path: Path):
    target = tmp_path / "up.json"
    save(target, "airgap", [Result("a", True, "made", 1.234, 5), Result("b", False, "in place", 2.0, None)])
    assert json.loads(target.read_text()) == {
        "situation": "airgap",
        "seconds": 3.23,
        "steps": [
            {"step": "a", "changed": True, "seconds": 1.23, "node_memory_bytes": 5},
            {"step": "b", "changed": False, "seconds": 2.0, "node_memory_bytes": None},
        ],
    }
