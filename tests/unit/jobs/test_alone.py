"""One process at a time in a folder."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from serinus_jobs.alone import alone
from serinus_jobs.errors import JobError

HOLD = """
import sys
from pathlib import Path
from serinus_jobs.alone import alone
with alone(Path(sys.argv[1]), "nobody"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_another_one_is_told_at_once_and_may_try_again(tmp_path: Path):
    with (
        alone(tmp_path / "lock", "another collect"),
        pytest.raises(JobError) as error,
        alone(tmp_path / "lock", "another collect"),
    ):
        pass
    assert str(error.value) == f"{tmp_path}: another collect is running; run this again when it is done"
    assert error.value.exit_code == 1
    with alone(tmp_path / "lock", "another collect"):
        pass


def test_who_waits_says_at_the_deadline_for_how_long(tmp_path: Path):
    began = time.monotonic()
    with (
        alone(tmp_path / "lock", "x"),
        pytest.raises(JobError, match="x is running and was waited for 1 s"),
        alone(tmp_path / "lock", "x", seconds=1),
    ):
        pass
    assert 1 <= time.monotonic() - began < 10


@pytest.mark.parametrize("killed", [True, False])
def test_who_waits_goes_on_once_the_other_is_done_or_killed(tmp_path: Path, killed: bool):
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(JobError):
            alone(tmp_path / "lock", "x").__enter__()
        if killed:
            other.kill()
        else:
            other.stdin.write("\n")
            other.stdin.flush()
        with alone(tmp_path / "lock", "x", seconds=20):
            pass
