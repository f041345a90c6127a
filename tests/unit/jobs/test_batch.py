"""Batch: the server's rules for whole tables, and the same bytes again."""

import csv
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.artifacts import CHURN_INPUTS, build_artifact
from tests.support.tables import customer_table

from serinus_contracts.artifact import MODEL_FILE, Input, ModelContract
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError
from serinus_contracts.plan import JoinKey, OnDemand, OnlinePlan
from serinus_jobs import batch, cli
from serinus_jobs.batch_rows import RowReader
from serinus_jobs.errors import JobError
from serinus_jobs.tables.source import Chunk

Artifact = tuple[Path, ModelContract]


def by_row(artifact: Artifact, frame: pd.DataFrame) -> list[tuple[str, float]]:
    """Predict row by row as a server does: the reference."""
    folder, contract = artifact
    session = onnxruntime.InferenceSession(folder / MODEL_FILE)
    encoder = RowEncoder(contract.inputs)
    names = [each.name for each in contract.inputs]
    answers = []
    for row in json.loads(frame[names].to_json(orient="records", double_precision=15)):
        values, _ = encoder.encode(row)
        ((_, yes),) = session.run(["probabilities"], {"input": np.array([values])})[0].tolist()
        answers.append(("yes" if yes >= contract.threshold else "no", yes))
    return answers


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    customer_table().to_csv(path, index=False)
    return path


def test_the_answers_are_the_servers(artifact: Artifact, source: Path, tmp_path: Path):
    result = batch.run(artifact[0], str(source), str(tmp_path / "out.csv"), keep=["customer_id"])
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found.columns) == ["customer_id", "prediction", "probability_no", "probability_yes"]
    expected = by_row(artifact, pd.read_csv(source))
    assert found["prediction"].tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(found["probability_yes"], [p for _, p in expected], atol=1e-7)
    assert found["customer_id"].tolist() == list(range(25))
    assert result.rows == 25
    assert result.revision == artifact[1].revision
    assert sum(result.predictions.values()) == 25
    assert result.defaulted == {"monthly_charges": int(customer_table()["monthly_charges"].isna().sum())}


@pytest.mark.parametrize("target", ["out.csv", "out.parquet"])
def test_a_second_run_gives_the_same_bytes(artifact: Artifact, source: Path, tmp_path: Path, target: str):
    digests = set()
    for _ in range(2):
        batch.run(artifact[0], str(source), str(tmp_path / target), keep=["customer_id"], chunk_rows=7)
        digests.add(hashlib.sha256((tmp_path / target).read_bytes()).hexdigest())
    assert len(digests) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", target])


def test_every_kind_of_table_gives_the_same_answers(artifact: Artifact, tmp_path: Path):
    frame = customer_table()
    frame.to_csv(tmp_path / "in.csv", index=False)
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    folder = tmp_path / "parts"
    folder.mkdir()
    frame[:10].to_parquet(folder / "a.parquet", index=False)
    frame[10:].to_parquet(folder / "b.parquet", index=False)
    database = tmp_path / "db.sqlite"
    with sqlite3.connect(database) as connection:
        frame.to_sql("input", connection, index=False)
    url = f"sqlite:///{database}"
    answers = []
    for spec in (f"{tmp_path}/in.csv", f"{tmp_path}/in.parquet", str(folder), f"{url}#input"):
        for target in (f"{tmp_path}/out.csv", f"{tmp_path}/out.parquet", f"{url}#output"):
            batch.run(artifact[0], spec, target, keep=["customer_id"], chunk_rows=7)
            if target.endswith(".csv"):
                found = pd.read_csv(target)
            elif target.endswith(".parquet"):
                found = pd.read_parquet(target)
            else:
                with sqlite3.connect(database) as connection:
                    found = pd.read_sql("SELECT * FROM output ORDER BY rowid", connection)
            answers.append(found.astype({"customer_id": "int64", "prediction": "str"}))
    for found in answers[1:]:
        pd.testing.assert_frame_equal(found, answers[0])


def test_an_input_with_a_default_may_be_absent_when_it_is_said(artifact: Artifact, tmp_path: Path):
    customer_table().drop(columns="monthly_charges").to_csv(tmp_path / "in.csv", index=False)
    result = batch.run(artifact[0], f"{tmp_path}/in.csv", f"{tmp_path}/out.csv", optional=["monthly_charges"])
    assert result.defaulted == {"monthly_charges": 25}
    with pytest.raises(JobError, match="--optional age"):
        batch.run(artifact[0], f"{tmp_path}/in.csv", f"{tmp_path}/out.csv", optional=["age"])


@pytest.mark.parametrize("classes", [("a", "b", "c"), (0, 1)])
def test_other_classes(tmp_path: Path, source: Path, classes: tuple[Any, ...]):
    contract = build_artifact(tmp_path / "model", classes=classes)
    batch.run(tmp_path / "model", str(source), f"{tmp_path}/out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")
    shares = found[[f"probability_{label}" for label in contract.classes]].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-6)
    assert found["prediction"].tolist() == [classes[i] for i in shares.argmax(axis=1)]


PLAN = OnlinePlan(
    project="p",
    feature_service="s",
    join_keys=(JoinKey("customer_id", "INT64"),),
    views=(),
    on_demand=(
        OnDemand("share", "DOUBLE", "monthly_charges / tenure_months"),
        OnDemand("double_share", "DOUBLE", "share * 2"),
    ),
)
COMPUTED_INPUTS = (
    Input("monthly_charges", "float64", default=65.0),
    Input("tenure_months", "int64", minimum=0),
    Input("double_share", "float64", default=-1.0, source="on_demand"),
)


def test_on_demand_features_are_computed_as_the_server_computes_them(tmp_path: Path):
    build_artifact(tmp_path / "model", inputs=COMPUTED_INPUTS, plan=PLAN)
    rows = [(50.0, 5, 20.0), (50.0, 0, -1.0), (None, 5, -1.0)]
    for given_too in (False, True):
        with (tmp_path / "in.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["monthly_charges", "tenure_months", *(["double_share"] if given_too else [])])
            writer.writerows([row if given_too else row[:2] for row in rows])
        batch.run(tmp_path / "model", f"{tmp_path}/in.csv", f"{tmp_path}/{given_too}.csv")
    assert (tmp_path / "False.csv").read_bytes() == (tmp_path / "True.csv").read_bytes()


def test_an_on_demand_feature_without_its_operands_is_missing(tmp_path: Path):
    build_artifact(tmp_path / "model", inputs=COMPUTED_INPUTS, plan=PLAN)
    (tmp_path / "in.csv").write_text("monthly_charges\n5\n")
    with pytest.raises(JobError, match="lacks tenure_months, double_share"):
        batch.run(tmp_path / "model", f"{tmp_path}/in.csv", f"{tmp_path}/out.csv")


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "age": st.integers(15, 103) | st.floats(18, 100) | st.none() | st.sampled_from([2**53 + 1, True]),
    "tenure_months": st.integers(-2, 602) | st.none(),
    "monthly_charges": st.floats() | st.integers(-1, 1001) | st.none(),
    "plan": st.sampled_from(["basic", "plus", "premium", "gold", ""]) | st.none(),
    "paperless": st.booleans() | st.none(),
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=6))
def test_a_table_is_encoded_as_its_rows_would_be(rows: list[dict[str, Any]]):
    """Values of the right JSON type: by row and by column the same matrix, or the same rows refused."""
    encoder = RowEncoder(CHURN_INPUTS)
    expected, refused = [], set()
    for position, row in enumerate(rows):
        # A table's NaN is its null; JSON has none.
        plain = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
        try:
            expected.append(encoder.encode(plain)[0])
        except ContractError:
            refused.add(position + 1)
    columns = {name: pd.Series([row[name] for row in rows], dtype=object) for name in VALUES}
    contract = ModelContract("m", "e", CHURN_INPUTS, ("no", "yes"), 0.5, {MODEL_FILE: "0"})
    reader = RowReader(contract, tuple(VALUES), (), "here")
    chunk = Chunk(1, pd.DataFrame(columns), {})
    if refused:
        with pytest.raises(JobError) as error:
            reader.encode(chunk)
        assert {int(part.split(":")[0]) for part in str(error.value).split("row ")[1:]} == refused
    else:
        assert reader.encode(chunk).matrix.tolist() == expected


def test_the_verb_prints_shares_and_defaults(
    artifact: Artifact, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options = ["--artifact", str(artifact[0]), "--source", str(source), "--target", f"{tmp_path}/out.csv"]
    with pytest.raises(SystemExit) as done:
        cli.main(["batch", *options, "--keep", "customer_id"])
    assert done.value.code in (0, None)
    printed = capsys.readouterr().out
    assert f"25 rows predicted by revision {artifact[1].revision}" in printed
    assert "monthly_charges: default filled" in printed
