"""What training and registering leave on a real MLflow: a database file, and a real server on loopback."""

import json
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.support.loans_house import WINDOW_END, House, check_answer
from tests.support.misbehaving_mlflow import misbehaving
from tests.support.ports import free_port
from tests.support.training import settings_in

from serinus_contracts import registry_tags
from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, ModelContract, read_contract
from serinus_jobs import evaluate, register, train
from serinus_jobs.errors import JobError
from serinus_jobs.registry import Registry
from serinus_jobs.settings import Settings


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


@pytest.mark.parametrize(
    ("status", "cure"),
    [(401, "check MLFLOW_TRACKING_USERNAME"), (403, "is it registered under that name")],
)
def test_a_login_that_does_not_suffice_is_no_reason_to_try_again(
    status: int, cure: str, tmp_path: Path
) -> None:
    # As MLflow's login answers: plain text.
    with misbehaving(lambda *_: (status, {}, b"Permission denied")) as url:
        registry = Registry(settings_in(tmp_path, url))
        with pytest.raises(JobError, match=cure) as refusal:
            registry.version("loans", "1")
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("uri", ["", "ftp://host", "file:///tmp/x", "databricks"])
def test_other_trackers_are_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(JobError, match=r"use sqlite:///path\.db or http://server"):
        Registry(Settings(tmp_path, tmp_path, uri))
