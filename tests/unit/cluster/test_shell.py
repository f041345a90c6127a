"""What a command that failed says: which one it was, and its last words."""

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


def test_the_deadline_is_told_with_the_whole_command():
    with pytest.raises(CommandFailed, match="`sleep 9` did not end within 0 s"):
        attempt(["sleep", "9"], seconds=0.2)
