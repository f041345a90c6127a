"""onnxruntime's wheels report usage to their maker by default: loaded through our doors, they do not.

A reporting one writes a device id and a queue of events below the home folder before it sends anything.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serinus_contracts.artifact import ModelContract

SERVER = """
import sys, pathlib
from serinus_contracts.artifact import read_contract
from serinus_server.runtime import Graph
folder = pathlib.Path(sys.argv[1])
Graph(folder, read_contract((folder / "serinus.json").read_bytes()))
"""
JOBS = """
import sys, pathlib
from serinus_jobs.export import Graph
Graph((pathlib.Path(sys.argv[1]) / "model.onnx").read_bytes())
"""
BARE = """
import sys, onnxruntime
onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx")
"""


def traces(program: str, folder: Path, home: Path) -> list[str]:
    """Run `program` with a home folder of its own and return what it left there."""
    # CI switches the reports off too: without it, what is asked is whether we did.
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment = {name: value for name, value in kept.items() if not name.startswith(("XDG_", "COVERAGE"))}
    subprocess.run(
        [sys.executable, "-c", program, folder],
        env={
            **environment,
            "HOME": str(home),
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        },
        capture_output=True,
        timeout=60,
        check=True,
    )
    return sorted(path.name for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("program", [SERVER, JOBS], ids=["server", "jobs"])
def test_nothing_is_reported(program: str, artifact: tuple[Path, ModelContract], tmp_path: Path):
    assert traces(program, artifact[0], tmp_path) == []


def test_the_trace_is_there_where_nobody_switches_it_off(
    artifact: tuple[Path, ModelContract], tmp_path: Path
):
    assert "deviceid" in traces(BARE, artifact[0], tmp_path)
