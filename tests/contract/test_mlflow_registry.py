"""From training to a registered version, on a real MLflow: a database file, and a real server on loopback."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from tests.conftest import free_port
from tests.support.training import loans, publish, settings_in, write_project

from serinus_contracts import registry_tags
from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, ModelContract, read_contract
from serinus_contracts.documents import from_document
from serinus_contracts.expectation import ScoreExpectation
from serinus_jobs import evaluate, register, train
from serinus_jobs.errors import GateRefused, JobError
from serinus_jobs.registry import Registry
from serinus_jobs.settings import Settings
from serinus_jobs.train import TrainResult

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW_END = datetime(2026, 1, 31, tzinfo=UTC)


@dataclass
class House:
    """One MLflow with a project whose first version is registered."""

    settings: Settings
    project: Path
    first: TrainResult


def build(folder: Path, tracking_uri: str = "") -> House:
    """Train, evaluate and register the first version, with fixed words and time."""
    settings = settings_in(folder, tracking_uri)
    publish(settings, "loans", loans(600))
    # 100 rows are held out: a narrower margin than this is less than their interval.
    gates = {"minimum": {"roc_auc": 0.7}, "challenger_margin": 0.1}
    project = write_project(folder / "project", gates=gates)
    first = train.run(project, settings, until=WINDOW_END)
    assert evaluate.run(project, settings, first.run_id).passed
    result = register.run(project, settings, first.run_id, approved_by="ada", reason="first model", now=NOW)
    assert (result.version, result.alias, result.created) == ("1", registry_tags.CHAMPION, True)
    return House(settings, project, first)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A database file."""
    return build(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, mlflow_url: str) -> House:
    """A server."""
    return build(tmp_path_factory.mktemp("remote"), mlflow_url)


@pytest.fixture(params=["house", "remote"])
def either(request: pytest.FixtureRequest) -> House:
    """Both, one after the other."""
    found: House = request.getfixturevalue(request.param)
    return found


def test_a_run_holds_what_a_reader_needs(either: House, tmp_path: Path) -> None:
    registry = Registry(either.settings)
    run = registry.run(either.first.run_id)
    assert run.status == "FINISHED"
    assert run.tags[registry_tags.DIGEST] == either.first.digest
    assert len(run.tags[registry_tags.DATA_DIGEST]) == 64
    assert run.params["estimator"] == "sklearn.ensemble.RandomForestClassifier"
    assert run.params["estimator.max_depth"] in ("2", "4", "6")
    assert run.metrics["holdout.roc_auc"] == pytest.approx(either.first.metrics["roc_auc"])
    assert {f"candidate.{i}" for i in range(3)} <= set(run.metrics)
    assert run.metrics["importance.debt"] > run.metrics["importance.visits"]
    for name in ("roc", "precision_recall", "calibration", "confusion", "importance"):
        plot = registry.fetch(either.first.run_id, f"plots/{name}.png", tmp_path)
        assert plot.read_bytes().startswith(b"\x89PNG")
    card = registry.fetch(either.first.run_id, "model/MODEL_CARD.md", tmp_path).read_text()
    assert "| roc_auc |" in card
    assert "| debt | float64 | 0 to 200 | required | request |" in card
    written = json.loads(registry.fetch(either.first.run_id, "evaluation.json", tmp_path).read_text())
    assert written["passed"] is True
    assert [gate["name"] for gate in written["gates"]] == ["unseen rows", "minimum roc_auc"]


def test_the_same_data_code_and_seed_give_the_same_revision(house: House) -> None:
    again = train.run(house.project, house.settings, until=WINDOW_END)
    assert again.run_id != house.first.run_id
    assert again.digest == house.first.digest


def test_a_version_carries_its_tags_and_its_approval(either: House) -> None:
    version = Registry(either.settings).version("loans", "1")
    assert version.run_id == either.first.run_id
    assert version.tags[registry_tags.DIGEST] == either.first.digest
    assert version.tags[registry_tags.STAGE] == "production"
    assert version.tags[registry_tags.EVALUATION] == "passed"
    assert json.loads(version.tags[registry_tags.APPROVAL]) == {
        "by": "ada",
        "at": "2026-03-01T12:00:00+00:00",
        "reason": "first model",
        "override": False,
        "gates": {"unseen rows": "passed", "minimum roc_auc": "passed"},
    }


def test_a_client_without_mlflow_downloads_a_version(remote: House) -> None:
    server = remote.settings.tracking_uri
    api, files = f"{server}/api/2.0/mlflow", f"{server}/api/2.0/mlflow-artifacts/artifacts"
    query = {"name": "loans", "version": "1"}
    location = httpx.get(f"{api}/model-versions/get-download-uri", params=query).json()["artifact_uri"]
    scheme, _, path = location.partition(":")
    assert scheme == "mlflow-artifacts"
    folder = path.strip("/")
    listed = {each["path"] for each in httpx.get(files, params={"path": folder}).json()["files"]}
    assert {"model.onnx", "serinus.json", "reference.json", "MODEL_CARD.md"} <= listed
    contract = read_contract(httpx.get(f"{files}/{folder}/{CONTRACT_FILE}").content)
    assert contract.digest == remote.first.digest
    check_answer(httpx.get(f"{files}/{folder}/{MODEL_FILE}").content, contract)


def test_serinus_fetch_brings_a_version(remote: House, tmp_path: Path) -> None:
    from serinus_server.fetch import fetch

    environment = {"MLFLOW_TRACKING_URI": remote.settings.tracking_uri}
    contract = fetch("mlflow://loans/1", tmp_path / "fetched", environment, 30)
    assert contract.digest == remote.first.digest
    check_answer((tmp_path / "fetched" / MODEL_FILE).read_bytes(), contract)


def check_answer(graph: bytes, contract: ModelContract) -> None:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rows = np.array([[0.0, 1.0, 0.0, 0.0], [100.0, 1.0, 2.0, 0.0]])
    (probabilities,) = session.run(["probabilities"], {"input": rows})
    assert probabilities.shape == (2, len(contract.classes))
    assert probabilities[0, 1] < 0.5 < probabilities[1, 1]


def test_mlflows_own_loader_reads_the_model(either: House) -> None:
    import mlflow.onnx
    import mlflow.pyfunc

    Registry(either.settings)
    model = mlflow.onnx.load_model("models:/loans/1")
    check_answer(model.SerializeToString(), ModelContract("m", "e", (), ("no", "yes"), 0.5, {}))
    answer = mlflow.pyfunc.load_model("models:/loans@champion").predict(
        {"input": np.array([[100.0, 1, 2, 0]])}
    )
    assert answer["probabilities"][0, 1] > 0.5


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


def test_what_is_not_there_is_named(either: House) -> None:
    registry = Registry(either.settings)
    with pytest.raises(JobError, match="cannot read run 0000"):
        registry.run("0" * 32)
    with pytest.raises(JobError, match="cannot read loans version 999"):
        registry.version("loans", "999")
    assert registry.by_alias("loans", "nobody") is None
    assert registry.by_alias("unknown", "champion") is None
    assert registry.versions("unknown") == []
    assert registry.search_runs("unknown") == []
    assert either.first.run_id in [run.run_id for run in registry.search_runs("loans")]
    with pytest.raises(JobError, match="approved_by, reason"):
        register.run(either.project, either.settings, either.first.run_id, approved_by=" ", reason="r")


def test_aliases_move_and_go(either: House) -> None:
    registry = Registry(either.settings)
    registry.set_alias("loans", "probe", "1")
    found = registry.by_alias("loans", "probe")
    assert found is not None
    assert (found.version, "probe" in found.aliases) == ("1", True)
    registry.delete_alias("loans", "probe")
    assert registry.by_alias("loans", "probe") is None


def test_a_failed_upload_leaves_no_usable_run(either: House, tmp_path: Path) -> None:
    registry = Registry(either.settings)
    with pytest.raises(JobError, match="cannot log the run"):
        registry.log_run("loans", name="x", params={}, metrics={"no\nname": 1.0}, tags={}, folder=tmp_path)
    newest = registry.search_runs("loans", limit=1)[0]
    assert newest.status == "FAILED"
    with pytest.raises(JobError, match="is no finished training"):
        evaluate.run(either.project, either.settings, newest.run_id)


def test_a_server_that_is_not_there_fails_soon_and_may_be_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As shipped it tries four times within 14 s.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    begun = time.monotonic()
    with pytest.raises(JobError, match=r"MLflow at http://127\.0\.0\.1") as caught:
        Registry(settings_in(tmp_path, f"http://127.0.0.1:{free_port()}")).versions("loans")
    assert caught.value.exit_code == 1
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("uri", ["", "ftp://host", "file:///tmp/x", "databricks"])
def test_other_trackers_are_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(JobError, match=r"use sqlite:///path\.db or http://server"):
        Registry(Settings(tmp_path, tmp_path, uri))


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
    code, run_id = ran("train", *here, "--until", "2026-02-10")
    assert (code, len(run_id)) == (0, 32)
    code, told = ran("evaluate", *here, "--run-id", run_id)
    assert code == 0
    assert told.splitlines()[1].startswith("passed  minimum roc_auc: 0.")
    assert ran("register", *here, "--run-id", run_id, *approved) == (0, "1 champion")
    code, told = ran("pipeline", *here, *approved)
    assert code == 0
    assert told.endswith(" 2 candidate")
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
