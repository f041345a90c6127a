"""Work side by side: nothing before what it needs, nothing new after a failure."""

from threading import Barrier, Lock

import pytest

from serinus_airgap.exclusive import one_build
from serinus_airgap.ordered import run_all
from serinus_airgap.running import BuildError, run

NEEDED = {"base": [], "leaf": ["base"], "other": [], "top": ["leaf", "other"]}


def test_each_is_done_after_those_that_it_needs():
    done: list[str] = []
    lock = Lock()

    def work(name: str) -> int:
        with lock:
            assert set(NEEDED[name]) <= set(done)
            done.append(name)
        return len(name)

    assert run_all(NEEDED, work) == {"base": 4, "leaf": 4, "other": 5, "top": 3}


def test_what_needs_nothing_of_each_other_runs_side_by_side():
    # Neither passes before the other has come: one after the other would break the barrier.
    meeting = Barrier(2, timeout=10)
    assert set(run_all({"a": [], "b": []}, lambda _: meeting.wait())) == {"a", "b"}


def test_after_a_failure_nothing_new_is_begun_and_every_failure_is_told():
    begun: list[str] = []

    def work(name: str) -> None:
        begun.append(name)
        if name in ("base", "other"):
            raise BuildError(f"{name} failed")

    with pytest.raises(BuildError) as caught:
        run_all(NEEDED, work)
    assert set(begun) <= {"base", "other"}
    assert set(str(caught.value).splitlines()) == {f"{name} failed" for name in begun}


def test_a_defect_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_all({"a": []}, lambda _: 1 // 0)


def test_nothing_to_do_is_done():
    assert run_all({}, lambda name: name) == {}


def test_a_second_build_is_told_whom_it_waits_for_and_gives_up_at_its_deadline(tmp_path):
    told: list[str] = []
    lock = tmp_path / "lock"
    with (
        one_build(told.append, lock),
        pytest.raises(BuildError, match=r"another build \(process \d+\) held .*lock for 0 s"),
        one_build(told.append, lock, seconds=0),
    ):
        pass
    with one_build(told.append, lock, seconds=0):
        assert told == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sh", "-c", "echo oh >&2; exit 3"], r"the step failed \(exit 3\):\n  oh"),
        (["no-such-program-here"], r"the step: no-such-program-here is not on PATH; install it"),
        (["sleep", "5"], r"the step: sleep did not end within 0 s"),
    ],
)
def test_a_failed_program_is_told_with_its_last_words(argv: list[str], words: str):
    with pytest.raises(BuildError, match=words):
        run(argv, "the step", seconds=0.3)


def test_the_words_of_a_program_are_kept_in_its_log(tmp_path):
    log = tmp_path / "logs" / "a.log"
    assert run(["sh", "-c", "echo a; echo b >&2"], "it", seconds=5, log=log) == "a\nb\n" == log.read_text()
    with pytest.raises(BuildError, match=rf"all of it: {log}"):
        run(["sh", "-c", "exit 1"], "it", seconds=5, log=log)
