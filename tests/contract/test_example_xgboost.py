"""The example of a model that others trained: from XGBoost's file to an artifact that answers like it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

from serinus_airgap import versions
from serinus_jobs import artifact_folder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "manifests/examples/xgboost"


def run(*words: str, **environment: str) -> str:
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_model_of_others_is_registered_and_answers_like_itself(tmp_path: Path):
    # Given a model in XGBoost's own format and rows that it has not seen
    own = {
        "SERINUS_DATA": str(tmp_path / "data"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
        "OMP_NUM_THREADS": "1",
    }
    jobs, project = str(Path(sys.executable).with_name("serinus-jobs")), ("--model-dir", str(EXAMPLE))
    run(sys.executable, str(EXAMPLE / "elsewhere.py"), str(tmp_path))
    run(jobs, "ingest", *project, "--table", "wines", "--source", str(tmp_path / "wine.csv"), **own)
    # When it is brought, judged and registered
    run_id = run(sys.executable, str(EXAMPLE / "bring.py"), str(tmp_path / "wine.json"), **own).split()[-1]
    run(jobs, "evaluate", *project, "--run-id", run_id, **own)
    approval = ("--approved-by", "tests", "--reason", "an example")
    version = run(jobs, "register", *project, "--run-id", run_id, *approval, **own)
    assert version.split()[0] == "1"
    # Then the artifact gives XGBoost's own probabilities
    (folder,) = tmp_path.glob(f"mlartifacts/*/{run_id}/artifacts/model")
    loaded = artifact_folder.load(folder)
    assert loaded.contract.classes == ("barolo", "grignolino", "barbera")
    rows = pd.read_csv(tmp_path / "wine.csv")[[each.name for each in loaded.contract.inputs]].to_numpy()
    expected = xgboost.Booster(model_file=tmp_path / "wine.json").inplace_predict(rows)
    np.testing.assert_allclose(loaded.graph.probabilities(rows), expected, atol=1e-5)


def test_the_other_examples_image_stands_on_the_pinned_base():
    dockerfile = (ROOT / "manifests/examples/kserve-sdk/Dockerfile").read_text()
    assert f"ARG PYTHON_IMAGE={versions.load()['PYTHON_IMAGE']}\n" in dockerfile
