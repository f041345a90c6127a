"""Commands end: by themselves, or at their deadline with all their children."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from serinus_cluster.edges.shell import CommandFailed, attempt, run


def test_how_a_command_ended():
    done = attempt(["sh", "-c", "cat; echo said; echo err >&2; exit 3"], seconds=10, stdin="in ")
    assert (done.code, done.out, done.err, done.ok) == (3, "in said\n", "err\n", False)
    assert done.words == "err"


def test_without_a_word():
    assert attempt(["false"], seconds=10).words == "exit 1, without a word"


def test_only_the_last_lines_of_a_long_complaint():
    done = attempt(["sh", "-c", "seq 100 >&2; exit 1"], seconds=10)
    assert done.words.splitlines() == [str(number) for number in range(89, 101)]


def test_a_command_that_must_succeed():
    assert run(["echo", "yes"], seconds=10) == "yes\n"
    with pytest.raises(CommandFailed, match=r"`sh -c echo no; exit 1` failed:\nno"):
        run(["sh", "-c", "echo no; exit 1"], seconds=10)


def test_a_missing_command_has_a_cure():
    with pytest.raises(CommandFailed, match="no-such-tool is not there; `make doctor` says how to get it"):
        attempt(["no-such-tool"], seconds=10)


def test_at_the_deadline_children_end_too(tmp_path: Path):
    note = tmp_path / "pid"
    script = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="did not end within 2 s"):
        attempt(["sh", "-c", f'"{sys.executable}" -c "{script}"; true'], seconds=2)
    assert time.monotonic() - began < 8
    # Its parent is gone too, so whoever is process 1 here may take its time to bury it.
    left = [each for each in psutil.process_iter() if each.pid == int(note.read_text())]
    assert [each for each in left if each.status() != psutil.STATUS_ZOMBIE] == []
