"""What may become a version: challengers, refusals and overrides, on a real MLflow."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.loans_house import House
from tests.support.training import loans, publish, settings_in, write_project

from serinus_contracts import registry_tags
from serinus_contracts.artifact import MODEL_FILE
from serinus_contracts.documents import from_document
from serinus_contracts.expectation import ScoreExpectation
from serinus_jobs import evaluate, register, train
from serinus_jobs.errors import GateRefused, JobError
from serinus_jobs.registry import Registry


def test_a_challenger_is_judged_beside_the_champion_and_becomes_candidate(either: House) -> None:
    second = train.run(either.project, either.settings, params={"n_estimators": 12})
    result = evaluate.run(either.project, either.settings, second.run_id)
    assert result.passed
    assert result.gates[-1].name == "challenger against champion: roc_auc"
    assert result.expectation is not None
    assert result.expectation.stable_revision == either.first.digest[:12]
    assert result.expectation.canary_revision == second.digest[:12]
    assert result.expectation.rows == result.rows
    for shares in (result.expectation.stable, result.expectation.canary):
        assert set(shares) == {"no", "yes"}
        assert sum(shares.values()) == pytest.approx(1.0)
    made = register.run(
        either.project, either.settings, second.run_id, approved_by="ada", reason="newer data"
    )
    assert (made.alias, made.created) == (registry_tags.CANDIDATE, True)
    again = register.run(either.project, either.settings, second.run_id, approved_by="ada", reason="a retry")
    assert (again.version, again.alias, again.created) == (made.version, registry_tags.CANDIDATE, False)
    registry = Registry(either.settings)
    champion = registry.by_alias("loans", registry_tags.CHAMPION)
    candidate = registry.by_alias("loans", registry_tags.CANDIDATE)
    assert champion is not None
    assert champion.version == "1"
    assert candidate is not None
    assert candidate.version == made.version
    assert candidate.tags[registry_tags.STAGE] == "staging"
    told = from_document(ScoreExpectation, json.loads(candidate.tags[registry_tags.EXPECTATION]))
    assert told == result.expectation


def test_a_bad_model_is_refused_and_can_only_be_forced_on_the_record(house: House, tmp_path: Path) -> None:
    # Its labels are inverted, as by a fault upstream; it is judged on the true ones.
    poisoned = settings_in(tmp_path, house.settings.tracking_uri)
    frame = loans(600)
    publish(poisoned, "loans", frame.assign(bad=frame["bad"].map({"yes": "no", "no": "yes"})))
    bad = train.run(house.project, poisoned)
    with pytest.raises(GateRefused, match="was not evaluated"):
        register.run(house.project, house.settings, bad.run_id, approved_by="ada", reason="now")
    result = evaluate.run(house.project, house.settings, bad.run_id)
    failed = [each.name for each in result.gates if not each.passed]
    assert failed == ["minimum roc_auc", "challenger against champion: roc_auc"]
    before = len(Registry(house.settings).versions("loans"))
    with pytest.raises(GateRefused, match=r"did not pass its gates: .*roc_auc") as caught:
        register.run(house.project, house.settings, bad.run_id, approved_by="ada", reason="now")
    assert caught.value.exit_code == 3
    assert len(Registry(house.settings).versions("loans")) == before
    forced = register.run(
        house.project, house.settings, bad.run_id, approved_by="eve", reason="drill", override=True
    )
    version = Registry(house.settings).version("loans", forced.version)
    approval = json.loads(version.tags[registry_tags.APPROVAL])
    assert (approval["by"], approval["reason"], approval["override"]) == ("eve", "drill", True)
    assert approval["gates"]["minimum roc_auc"].startswith("failed: ")
    assert version.tags[registry_tags.EVALUATION] == "failed"


def test_an_evaluation_against_an_older_champion_does_not_count(house: House) -> None:
    registry = Registry(house.settings)
    run = train.run(house.project, house.settings, params={"n_estimators": 14})
    assert evaluate.run(house.project, house.settings, run.run_id).passed
    other = next(each for each in registry.versions("loans") if registry_tags.CHAMPION not in each.aliases)
    registry.set_alias("loans", registry_tags.CHAMPION, other.version)
    try:
        with pytest.raises(GateRefused, match="evaluated against another champion"):
            register.run(house.project, house.settings, run.run_id, approved_by="ada", reason="late")
    finally:
        registry.set_alias("loans", registry_tags.CHAMPION, "1")


def test_a_changed_artifact_is_not_registered(house: House, tmp_path: Path) -> None:
    run = train.run(house.project, house.settings, params={"n_estimators": 16})
    assert evaluate.run(house.project, house.settings, run.run_id).passed
    registry = Registry(house.settings)
    changed = tmp_path / "model"
    changed.mkdir()
    (changed / MODEL_FILE).write_bytes(b"\0" * 100)
    registry._client.log_artifacts(run.run_id, str(changed), "model")
    before = len(registry.versions("loans"))
    with pytest.raises(JobError, match="SHA-256 differs"):
        register.run(house.project, house.settings, run.run_id, approved_by="a", reason="r", override=True)
    assert len(registry.versions("loans")) == before


def test_a_graph_that_answers_otherwise_is_not_registered(house: House, tmp_path: Path) -> None:
    run = train.run(house.project, house.settings, params={"n_estimators": 18})
    registry = Registry(house.settings)
    with np.load(registry.fetch(run.run_id, "checks", tmp_path) / "holdout.npz") as check:
        matrix, probabilities = check["matrix"], check["probabilities"]
    changed = tmp_path / "changed"
    changed.mkdir()
    np.savez_compressed(changed / "holdout.npz", matrix=matrix, probabilities=probabilities[:, ::-1])
    registry._client.log_artifacts(run.run_id, str(changed), "checks")
    with pytest.raises(JobError, match="disagrees with its pipeline"):
        register.run(house.project, house.settings, run.run_id, approved_by="a", reason="r", override=True)


def test_a_model_without_newer_labels_cannot_be_evaluated(house: House) -> None:
    registry = Registry(house.settings)
    run = train.run(house.project, house.settings)
    registry.extend_run(run.run_id, tags={"serinus.trained_to": "2026-12-31T00:00:00"}, metrics={})
    result = evaluate.run(house.project, house.settings, run.run_id)
    assert [(each.name, each.passed) for each in result.gates] == [("unseen rows", False)]
    assert "no later labels" in result.gates[0].detail


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "other"}, "trained 'loans', not 'other'"),
        ({"features": [{"name": "debt", "type": "float64"}]}, "inputs or classes changed since"),
    ],
)
def test_another_project_cannot_judge_a_run(
    house: House, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(JobError, match=message):
        evaluate.run(write_project(tmp_path, **changes), house.settings, house.first.run_id)


def test_a_champion_with_other_inputs_is_scored_by_its_own_contract(house: House, tmp_path: Path) -> None:
    slim = write_project(
        tmp_path,
        features=[
            {"name": "debt", "type": "float64", "min": 0, "max": 200},
            {"name": "plan", "type": "string", "allowed": ["a", "b", "c"]},
        ],
    )
    run = train.run(slim, house.settings)
    result = evaluate.run(slim, house.settings, run.run_id)
    assert result.gates[-1].name == "challenger against champion: roc_auc"
    assert result.champion_metrics["roc_auc"] > 0.7


def test_the_command_line(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from serinus_jobs.cli import main

    project = write_project(
        tmp_path / "p", name="cli", gates={"minimum": {"roc_auc": 0.7}, "challenger_margin": 0.1}
    )
    monkeypatch.setenv("SERINUS_DATA", str(house.settings.data))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", house.settings.tracking_uri)

    def ran(*arguments: str) -> tuple[int, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().out.strip()

    here = ("--model-dir", str(project))
    approved = ("--approved-by", "a", "--reason", "b")
    assert ran("evaluate", *here)[0] == 2  # nothing is trained yet
    code, run_id = ran("train", *here, "--until", "2026-02-10")
    assert (code, len(run_id)) == (0, 32)
    code, told = ran("evaluate", *here, "--run-id", run_id)
    assert code == 0
    assert told.splitlines()[1].startswith("passed  minimum roc_auc: 0.")
    assert ran("register", *here, "--run-id", run_id, *approved) == (0, "1 champion")
    code, told = ran("pipeline", *here, *approved)
    assert code == 0
    assert [line.split()[0] for line in told.splitlines()[:3]] == ["train:", "evaluate:", "register:"]
    newest, *rest = told.splitlines()[-1].split()
    assert rest == ["2", "candidate"]
    # Without a run's name it is the newest training's.
    code, told = ran("evaluate", *here)
    assert (code, told.splitlines()[0]) == (0, f"run {newest}")
    assert ran("register", *here, *approved) == (0, "2 candidate")
    write_project(project, name="cli", gates={"minimum": {"roc_auc": 0.9999}})
    assert ran("pipeline", *here, *approved)[0] == 3
    assert ran("evaluate", *here, "--run-id", run_id)[0] == 3
    assert ran("pipeline", *here, *approved, "--ingest", "loans")[0] == 2
    assert ran("train", "--model-dir", str(tmp_path / "nowhere"))[0] == 2


def test_the_table_changed_under_a_stratified_split(house: House, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, house.settings.tracking_uri)
    frame = loans(600)
    publish(settings, "loans", frame)
    project = write_project(tmp_path / "p", name="drawn", split={"kind": "stratified"})
    run = train.run(project, settings)
    assert evaluate.run(project, settings, run.run_id).passed
    publish(settings, "loans", pd.concat([frame, frame[:50]], ignore_index=True))
    result = evaluate.run(project, settings, run.run_id)
    assert not result.passed
    assert "the table changed since the training" in result.gates[0].detail
