"""Batch on bad input: the row is named, and what stood at the target still stands there."""

import sqlite3
from pathlib import Path

import pytest
from tests.support.artifacts import build_artifact
from tests.support.tables import customer_table

from serinus_contracts.artifact import MODEL_FILE, ModelContract
from serinus_jobs import batch
from serinus_jobs.errors import JobError

Artifact = tuple[Path, ModelContract]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    customer_table().to_csv(path, index=False)
    return path


BAD = {
    "age": ("200", "age: must lie between 18 and 100"),
    "tenure_months": ("1.5", "tenure_months: '1.5' is not a whole number of 64 bits"),
    "monthly_charges": ("1e999", "monthly_charges: must be finite"),
    "plan": ("gold", "plan: must be one of basic, plus, premium"),
    "paperless": ("maybe", "paperless: 'maybe' is not true or false"),
}


@pytest.mark.parametrize("feature", BAD)
@pytest.mark.parametrize("target", ["out.csv", "out.parquet"])
def test_a_bad_row_is_named_and_nothing_is_published(
    artifact: Artifact, tmp_path: Path, feature: str, target: str
):
    value, reason = BAD[feature]
    frame = customer_table().astype(object)
    frame.loc[16, feature] = value
    frame.to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / target).write_bytes(b"the older answer")
    with pytest.raises(JobError) as error:
        batch.run(artifact[0], f"{tmp_path}/in.csv", f"{tmp_path}/{target}", chunk_rows=10)
    assert f"row 17: {reason}" in str(error.value)
    assert (tmp_path / target).read_bytes() == b"the older answer"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", target])


def test_many_bad_rows_are_named_up_to_ten(artifact: Artifact, tmp_path: Path):
    frame = customer_table().assign(age=7)
    frame.to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(JobError, match=r"row 1: age.*row 10: age.*15 more follow"):
        batch.run(artifact[0], f"{tmp_path}/in.csv", f"{tmp_path}/out.csv")


def test_an_sql_target_keeps_its_rows_when_a_run_fails(artifact: Artifact, tmp_path: Path, source: Path):
    target = f"sqlite:///{tmp_path}/db.sqlite#output"
    batch.run(artifact[0], str(source), target)
    frame = customer_table(40)
    frame.loc[39, "age"] = 7
    frame.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(JobError, match="row 40"):
        batch.run(artifact[0], f"{tmp_path}/bad.csv", target, chunk_rows=10)
    with sqlite3.connect(tmp_path / "db.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM output").fetchone() == (25,)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("output",)]


def test_an_sql_target_that_fails_while_it_is_swapped_stays_as_it_was(
    artifact: Artifact, tmp_path: Path, source: Path
):
    with sqlite3.connect(tmp_path / "db.sqlite") as connection:
        connection.execute("CREATE VIEW output AS SELECT 1 AS old")  # DROP TABLE refuses a view
    with pytest.raises(JobError, match="nothing was written"):
        batch.run(artifact[0], str(source), f"sqlite:///{tmp_path}/db.sqlite#output")
    with sqlite3.connect(tmp_path / "db.sqlite") as connection:
        assert connection.execute("SELECT old FROM output").fetchall() == [(1,)]
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("output",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("age,tenure_months,monthly_charges,plan,paperless\n", "header but no rows"),
        ("age,plan,monthly_charges\n20,basic,1\n", "lacks tenure_months, paperless"),
        ("age,tenure_months,monthly_charges,plan,paperless\n20,1\n", "row 1: has 2 fields"),
    ],
)
def test_a_wrong_table(artifact: Artifact, tmp_path: Path, text: str, message: str):
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(JobError, match=message):
        batch.run(artifact[0], f"{tmp_path}/in.csv", f"{tmp_path}/out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (["nothing"], "no such column"),
        (["customer_id", "customer_id"], "of that name already"),
    ],
)
def test_columns_to_keep_must_exist_once(
    artifact: Artifact, source: Path, tmp_path: Path, keep: list[str], message: str
):
    with pytest.raises(JobError, match=message):
        batch.run(artifact[0], str(source), f"{tmp_path}/out.csv", keep=keep)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{tmp}/in.csv", "is the source"),
        ("{tmp}/../{name}/in.csv", "is the source"),
        ("{model}/out.csv", "lies in the model's own folder"),
        ("{tmp}/link.csv", "is a link"),
        ("{tmp}/nowhere/out.csv", "does not exist"),
        ("{tmp}", "is a link, a folder"),
        ("/dev/null", "a device"),
        ("{tmp}/out.json", "unknown kind of target"),
        ("sqlite:///{tmp}/a.db#SELECT 1", "cannot be written to"),
    ],
)
def test_a_target_that_is_refused(
    artifact: Artifact, source: Path, tmp_path: Path, target: str, message: str
):
    (tmp_path / "other.csv").write_text("untouched")
    (tmp_path / "link.csv").symlink_to(tmp_path / "other.csv")
    before = source.read_bytes()
    spec = target.format(tmp=tmp_path, name=tmp_path.name, model=artifact[0])
    with pytest.raises(JobError, match=message):
        batch.run(artifact[0], str(source), spec)
    assert (tmp_path / "other.csv").read_text() == "untouched"
    assert source.read_bytes() == before


def test_a_changed_model_is_refused(source: Path, tmp_path: Path):
    folder = tmp_path / "model"
    build_artifact(folder)
    with (folder / MODEL_FILE).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(JobError, match=MODEL_FILE):
        batch.run(folder, str(source), f"{tmp_path}/out.csv")


def test_a_model_that_names_files_elsewhere_is_refused(source: Path, tmp_path: Path):
    folder = tmp_path / "model"
    contract = build_artifact(folder)
    escaping = ModelContract(
        **{**contract.__dict__, "files": {**contract.files, "../../etc/hostname": "0" * 64}}
    ).sealed()
    (folder / "serinus.json").write_text(escaping.to_json())
    with pytest.raises(JobError, match="leads out of"):
        batch.run(folder, str(source), f"{tmp_path}/out.csv")


def test_a_model_behind_a_link_is_refused(source: Path, tmp_path: Path):
    folder = tmp_path / "model"
    build_artifact(folder)
    (folder / MODEL_FILE).rename(tmp_path / "elsewhere.onnx")
    (folder / MODEL_FILE).symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(JobError, match="is a link"):
        batch.run(folder, str(source), f"{tmp_path}/out.csv")


def test_no_model_at_all(source: Path, tmp_path: Path):
    with pytest.raises(JobError, match=r"nothing: .*No such file"):
        batch.run(tmp_path / "nothing", str(source), f"{tmp_path}/out.csv")
