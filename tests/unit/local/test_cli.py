"""What the command says and how it ends. The loop itself is replaced here; tests/e2e runs it."""

import signal

import pytest
from rich.console import Console

from serinus_jobs.errors import JobError
from serinus_jobs.settings import Settings
from serinus_local import cli, demo
from serinus_local.processes import LocalError, Processes
from serinus_local.run import Options, Run
from serinus_local.timeline import Expected, Timeline
from serinus_operator.adapters.registry import RegistryUnavailable


def ended(*expected: Expected) -> Timeline:
    return Timeline(7, 200.0, "2026-01-02 03:04", 125.0, {}, (), (), (), (), (), expected)


@pytest.fixture
def arguments(tmp_path, monkeypatch) -> list[str]:
    previous = signal.getsignal(signal.SIGTERM)
    for folder in ("model", "features"):
        (tmp_path / folder).mkdir()
    yield [
        "demo", "--work", str(tmp_path / "work"), "--model-dir", str(tmp_path / "model"),
        "--feature-repo", str(tmp_path / "features"), "--seed", "5", "--rate", "150",
    ]  # fmt: skip
    signal.signal(signal.SIGTERM, previous)


def exit_code(monkeypatch, arguments: list[str]) -> object:
    monkeypatch.setattr("sys.argv", ["serinus-local", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_everything_that_had_to_happen_is_exit_0_and_listed(arguments, monkeypatch, capsys, tmp_path):
    given: list[Options] = []

    def loop(options: Options, console: Console) -> Timeline:
        given.append(options)
        return ended(Expected("the canary is promoted", "after 20 s", True))

    monkeypatch.setattr(demo, "run", loop)
    assert exit_code(monkeypatch, arguments) == 0
    shown = capsys.readouterr().out
    assert "yes  the canary is promoted: after 20 s" in shown
    assert "2:05 in all" in shown
    assert str(tmp_path / "work" / "report.html") in shown
    assert (given[0].seed, given[0].rate, given[0].work) == (5, 150.0, tmp_path / "work")


def test_one_outcome_that_did_not_happen_is_exit_1_and_says_which(arguments, monkeypatch, capsys):
    missed = Expected("the bad one is rolled back", "promoted after 20 s", False)
    monkeypatch.setattr(demo, "run", lambda *_: ended(Expected("a", "b", True), missed))
    assert exit_code(monkeypatch, arguments) == 1
    assert "NO   the bad one is rolled back: promoted after 20 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (LocalError("envoy ended by itself"), 1, "envoy ended by itself"),
        (JobError("model.yaml: no features"), 1, "model.yaml: no features"),
        (RegistryUnavailable("POST alias: refused"), 1, "POST alias: refused"),
        (KeyboardInterrupt(), 130, "everything that was started has been ended"),
    ],
)
def test_what_stops_it_is_said_without_a_traceback(arguments, monkeypatch, capsys, raised, code, said):
    def loop(*_: object) -> Timeline:
        raise raised

    monkeypatch.setattr(demo, "run", loop)
    assert exit_code(monkeypatch, arguments) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_a_missing_folder_is_named_with_the_cure(arguments, monkeypatch, capsys, tmp_path):
    (tmp_path / "features").rmdir()
    assert exit_code(monkeypatch, arguments) == 2
    assert "run it from the root of the repository" in capsys.readouterr().err


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years")
    with pytest.raises(LocalError, match="no demo made it"):
        demo._fresh(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_our_own_folder_is_wiped(tmp_path):
    work = tmp_path / "work"
    demo._fresh(work)
    (work / "old.csv").write_text("1")
    demo._fresh(work)
    assert [path.name for path in work.iterdir()] == [demo._MARK]


def test_the_diary_keeps_what_happened_and_when(tmp_path):
    options = Options(tmp_path, tmp_path, tmp_path)
    settings = Settings(tmp_path, tmp_path, "sqlite:///x.db")
    console = Console(quiet=True)
    with Processes(tmp_path / "logs") as processes:
        run = Run(options, processes, settings, console)
        with run.phase("data", "Data"):
            run.decided("gate", "refused", "bad", "too low", roc_auc=0.12345, held={"a": 1, "b": 0.5})
        run.expect("the gate refuses", True, "it did")
        with pytest.raises(ZeroDivisionError), run.phase("broken", "Broken"):
            raise ZeroDivisionError
        with pytest.raises(LocalError, match="fewer than 5 requests"):
            run.wait_for_answers(5, deadline=0.3)
    timeline = run.timeline({"a": "b"})
    assert [phase.name for phase in timeline.phases] == ["data", "broken"]
    assert timeline.decisions[0].evidence == {"roc auc": "0.1235", "held": "a 1, b 0.5"}
    assert timeline.passed
    assert timeline.traffic == ()
