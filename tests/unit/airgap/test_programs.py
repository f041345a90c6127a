"""Programs end with their children: by themselves, at their deadline, or where this process is to stop."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from serinus_airgap.ordered import run_all
from serinus_airgap.programs import Stopped, ended, stopped

# Writes its own number down, then stays; what starts it does not pass signals on.
STAYS = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
QUICK_SECONDS = 20
TWO_AT_ONCE = """
import sys
from serinus_airgap.ordered import run_all
from serinus_airgap.programs import ended
run_all({"one": [], "two": []}, lambda name: ended([*sys.argv[2:], sys.argv[1] + name], seconds=60))
"""


def stays(note: Path) -> list[str]:
    return ["sh", "-c", '"$0" -c "$1" "$2"; true', sys.executable, STAYS, str(note)]


def begun(note: Path) -> int:
    """Wait for the note of a program and return its process's number."""
    deadline = time.monotonic() + QUICK_SECONDS
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline, f"nothing wrote {note}"
        time.sleep(0.02)
    return int(note.read_text())


def is_over(number: int) -> bool:
    # Its parent is gone too, so whoever is process 1 here may take its time to bury it.
    left = [each for each in psutil.process_iter() if each.pid == number]
    return all(each.status() == psutil.STATUS_ZOMBIE for each in left)


def test_both_streams_in_one_or_apart():
    words = ["sh", "-c", "cat; echo err >&2; exit 3"]
    done = ended(words, seconds=10, stdin="in\n")
    assert (done.code, done.out, done.err, done.ok, done.words) == (3, "in\n", "err\n", False, "err")
    assert ended(words, seconds=10, joined=True).out == "err\n"


def test_where_and_with_what_a_program_runs(tmp_path: Path):
    done = ended(["sh", "-c", "pwd; echo $OURS"], seconds=10, folder=tmp_path, environment={"OURS": "yes"})
    assert done.out == f"{tmp_path}\nyes\n"


def test_at_the_deadline_children_end_too(tmp_path: Path):
    with pytest.raises(TimeoutError, match="sh did not end within 2 s"):
        ended(stays(tmp_path / "pid"), seconds=2)
    assert is_over(begun(tmp_path / "pid"))


def test_what_others_run_ends_and_nothing_begins(tmp_path: Path):
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(ended(stays(tmp_path / "pid"), seconds=60).code), daemon=True
    )
    thread.start()
    number = begun(tmp_path / "pid")
    with stopped():
        thread.join(QUICK_SECONDS)
        with pytest.raises(Stopped, match="true was not begun"):
            ended(["true"], seconds=5)
    assert codes == [-signal.SIGTERM]
    assert is_over(number)
    assert ended(["true"], seconds=5).ok


def test_a_defect_ends_what_runs_beside_it(tmp_path: Path):
    note, began = tmp_path / "pid", time.monotonic()

    def work(name: str) -> None:
        if name == "stays":
            ended(stays(note), seconds=60)
        else:
            begun(note)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_all({"stays": [], "fails": []}, work)
    assert time.monotonic() - began < QUICK_SECONDS
    assert is_over(begun(note))


def test_an_interrupt_ends_programs_of_every_thread(tmp_path: Path):
    words = [sys.executable, "-c", TWO_AT_ONCE, str(tmp_path / "pid-"), *stays(tmp_path)[:-1]]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        numbers = [begun(tmp_path / f"pid-{name}") for name in ("one", "two")]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=QUICK_SECONDS)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert [is_over(each) for each in numbers] == [True, True]
