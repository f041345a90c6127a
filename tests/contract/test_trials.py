"""A search in parts, over a real MLflow: the parts find what one search finds, and train takes it up."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.training import loans, publish, settings_in, write_project

from serinus_jobs import candidates, cli, search, train, trials
from serinus_jobs.errors import JobError
from serinus_jobs.registry import Registry
from serinus_jobs.run_tags import KIND
from serinus_jobs.settings import Settings

FOREST = "sklearn.ensemble.RandomForestClassifier"
GRID = {"max_depth": [2, 3, 4, 6], "min_samples_leaf": [1, 5]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_in(tmp_path)
    publish(made, "loans", loans(300))
    return made


def project(folder: Path, **estimator: Any) -> Path:
    wanted = {"class": FOREST, "params": {"n_estimators": 5}, "grid": GRID, **estimator}
    return write_project(folder, estimator=wanted)


def trained(model_dir: Path, settings: Settings) -> tuple[dict[str, str], float]:
    """Return the chosen parameters and how many candidates were found scored."""
    run = Registry(settings).run(train.run(model_dir, settings).run_id)
    chosen = {name: run.params[f"estimator.{name}"] for name in GRID}
    return chosen, run.metrics["candidates.known"]


@pytest.mark.parametrize("estimator", [{}, {"trials": 7}], ids=["grid", "sampled"])
def test_train_takes_up_what_the_parts_scored(settings: Settings, tmp_path: Path, estimator: dict[str, Any]):
    model_dir = project(tmp_path / "model", **estimator)
    alone, known = trained(model_dir, settings)
    assert known == 0
    parts = [trials.run(model_dir, settings, index=index, of=3) for index in range(3)]
    if not estimator:
        assert [part.scored for part in parts] == [3, 3, 2]
    again = [trials.run(model_dir, settings, index=index, of=3) for index in range(3)]
    assert [part.scored for part in again] == [0, 0, 0]
    assert [part.best for part in again] == [part.best for part in parts]
    best = max((part.best for part in parts if part.best), key=lambda trial: trial.score)
    taken_up, known = trained(model_dir, settings)
    runs = Registry(settings).search_runs("loans-search", f"tags.`{KIND}` = 'trial'")
    assert known == len(runs) == sum(part.scored for part in parts)
    assert {name: str(value) for name, value in best.params.items()} == taken_up
    if not estimator:
        assert taken_up == alone


def test_a_part_that_was_killed_goes_on(settings: Settings, tmp_path: Path, monkeypatch: Any):
    model_dir = project(tmp_path / "model")
    scorer = candidates.scorer
    left = 2

    def dying(*arguments: Any) -> search.Score:
        score = scorer(*arguments)

        def once(params: dict[str, Any]) -> float:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return score(params)

        return once

    monkeypatch.setattr("os.cpu_count", lambda: 1)  # one candidate after the other
    with monkeypatch.context() as patched:
        patched.setattr(candidates, "scorer", dying)
        with pytest.raises(KeyboardInterrupt):
            trials.run(model_dir, settings, index=0, of=2)
    result = trials.run(model_dir, settings, index=0, of=2)
    assert (result.scored, result.found) == (2, 2)


def test_other_data_is_another_study(settings: Settings, tmp_path: Path):
    model_dir = project(tmp_path / "model")
    trials.run(model_dir, settings, index=0, of=1)
    publish(settings, "loans", loans(300, seed=4))
    assert trained(model_dir, settings)[1] == 0


def test_a_sampled_search_of_another_size_is_made_anew(settings: Settings, tmp_path: Path):
    trials.run(project(tmp_path / "model", trials=3), settings, index=0, of=1)
    larger = project(tmp_path / "model", trials=8)
    _, known = trained(larger, settings)
    run = Registry(settings).search_runs("loans", limit=1)[0]
    # What is known is not fitted again, but more than that is tried.
    assert 0 < known < int(run.params["candidates"])


def test_more_parts_than_candidates(settings: Settings, tmp_path: Path):
    model_dir = project(tmp_path / "model", grid={"max_depth": [2, 3, 4]})
    result = trials.run(model_dir, settings, index=4, of=5)
    assert (result.scored, result.found, result.best) == (0, 0, None)
    with pytest.raises(JobError, match="--index 5: must lie between 0 and 4"):
        trials.run(model_dir, settings, index=5, of=5)


def test_as_the_command_line_says_it(
    settings: Settings, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
):
    model_dir = project(tmp_path / "model", grid={"max_depth": [2, 3, 4]})
    for name, value in (
        ("SERINUS_DATA", str(settings.data)),
        ("MLFLOW_TRACKING_URI", settings.tracking_uri),
        ("JOB_COMPLETION_INDEX", "1"),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="0"):
        cli.main(["trials", "--model-dir", str(model_dir), "--of", "2"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "part 1 of 2: 1 candidates scored, 0 found scored"
    assert second.endswith('with {"max_depth": 3}')
