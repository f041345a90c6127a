"""PostgreSQL as the jobs use it: Feast's registry, tables read, tables written."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
import yaml
from tests.support import churn_store
from tests.support.churn_store import DAY, NOON
from tests.support.ports import free_port
from tests.support.tables import customer_table
from tests.support.training import settings_in

from serinus_contracts.artifact import ModelContract
from serinus_jobs import batch, batch_parts, ingest
from serinus_jobs.errors import JobError
from serinus_jobs.feature_store import FeatureStore
from serinus_jobs.settings import Settings
from serinus_jobs.tables.spec import open_sink, open_source

pytestmark = pytest.mark.postgres
Artifact = tuple[Path, ModelContract]


@pytest.fixture
def database(postgres_url: str, request: pytest.FixtureRequest) -> str:
    """A database of the test's own, by its URL."""
    name = f"test_{abs(hash(request.node.name))}"
    with sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return postgres_url.replace("/postgres", f"/{name}")


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Settings:
    """Three snapshots of two customers, and Feast's registry in the database."""
    made = replace(churn_store.settings(tmp_path / "data"), feast_registry=database)
    rows = [
        churn_store.row(1, NOON - 2 * DAY, age=40),
        churn_store.row(1, NOON - DAY, age=41),
        churn_store.row(2, NOON - DAY, monthly_charges=None),
    ]
    churn_store.write(made, rows)
    return made


def labels() -> pd.DataFrame:
    times = pd.DatetimeIndex([NOON - DAY * 1.5, NOON, NOON]).as_unit("us")
    return pd.DataFrame({"customer_id": [1, 1, 2], "event_timestamp": times})


def plan_and_frame(settings: Settings) -> tuple[Any, pd.DataFrame]:
    store = FeatureStore(settings)
    return store.plan("churn"), store.training_frame("churn", labels())


def test_feast_gives_the_same_answers_from_a_registry_in_postgresql(settings: Settings, tmp_path: Path):
    in_a_file = replace(settings, feast_registry="", online_store=f"sqlite:///{tmp_path / 'other.db'}")
    for each in (settings, in_a_file):
        store = FeatureStore(each)
        store.apply()
        store.materialize(NOON - 3 * DAY, NOON)
    plan, frame = plan_and_frame(settings)
    same_plan, same_frame = plan_and_frame(in_a_file)
    assert plan == same_plan
    pd.testing.assert_frame_equal(frame, same_frame)
    assert frame["age"].tolist() == [40, 41, 40]
    keys = [{"customer_id": 1}, {"customer_id": 2}]
    found = FeatureStore(settings).online("churn", keys)
    assert found == FeatureStore(in_a_file).online("churn", keys)
    assert found["age"] == [41, 40]


def test_a_view_remembers_its_loads_in_the_database(settings: Settings):
    FeatureStore(settings).apply()
    FeatureStore(settings).materialize(NOON - 3 * DAY, NOON)
    FeatureStore(settings).apply()  # changes nothing
    windows = FeatureStore(settings).windows(NOON + DAY, DAY)
    assert set(windows.values()) == {(NOON - DAY, NOON + DAY)}


def test_jobs_that_apply_at_once_to_an_empty_database_all_succeed(settings: Settings, database: str):
    environment = {
        **os.environ,
        "SERINUS_DATA": str(settings.data),
        "SERINUS_FEATURE_REPO": str(settings.feature_repo),
        "SERINUS_FEAST_REGISTRY": database,
    }
    command = [Path(sys.executable).with_name("serinus-jobs"), "materialize", "--apply-only"]
    jobs = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(3)
    ]
    said = [job.communicate(timeout=180)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    assert FeatureStore(settings).plan("churn").views


def test_a_registry_that_cannot_be_reached_says_so_without_its_password(settings: Settings):
    gone = f"postgresql+psycopg://feast:s3cret@127.0.0.1:{free_port()}/feast"
    with pytest.raises(JobError) as refused:
        FeatureStore(replace(settings, feast_registry=gone)).apply()
    assert "SERINUS_FEAST_REGISTRY" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert refused.value.exit_code == 1  # the database may come back


def test_a_table_is_ingested_with_its_types(database: str, tmp_path: Path):
    with sa.create_engine(database).begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE visits "
            "(id bigint PRIMARY KEY, at timestamptz, spent numeric(10,2), member boolean, plan text)"
        )
        connection.exec_driver_sql(
            "INSERT INTO visits "
            "SELECT i, timestamptz '2026-05-01 00:00+02' + i * interval '1 hour', i * 0.25, "
            "mod(i, 2) = 0, CASE WHEN mod(i, 5) > 0 THEN 'plan a' END FROM generate_series(1, 50000) i"
        )
    columns = {
        "id": {"type": "int64"},
        "at": {"type": "timestamp"},
        "spent": {"type": "float64", "max": 12_000},
        "member": {"type": "bool"},
        "plan": {"type": "string", "nullable": True},
    }
    table = {"time": "at", "unique": ["id"], "columns": columns}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"tables": {"visits": table}}))
    made = settings_in(tmp_path)
    result = ingest.run(tmp_path, "visits", f"{database}#visits", made)
    assert (result.read, result.written, result.quarantined) == (50_000, 48_000, 2_000)
    frame = pd.read_parquet(made.events("visits")).sort_values("id", ignore_index=True)
    # Midnight of a zone two hours ahead of UTC.
    assert frame["at"].iloc[0] == pd.Timestamp("2026-04-30 23:00", tz="UTC")
    assert frame["spent"].iloc[2] == 0.75
    assert frame["member"].sum() == 24_000
    assert frame["plan"].isna().sum() == 9_600
    again = ingest.run(tmp_path, "visits", f"{database}#SELECT * FROM visits ORDER BY id DESC", made)
    assert again.digest == result.digest


@pytest.fixture
def customers(database: str) -> str:
    """The customers' table in the database, as a source."""
    with sa.create_engine(database).begin() as connection:
        customer_table().to_sql("customers", connection, index=False)
        connection.exec_driver_sql("ALTER TABLE customers ADD PRIMARY KEY (customer_id)")
    return f"{database}#customers"


def answers(database: str) -> pd.DataFrame:
    with sa.create_engine(database).connect() as connection:
        return pd.read_sql_query("SELECT * FROM answers ORDER BY customer_id", connection)


@pytest.fixture
def expected(artifact: Artifact, tmp_path: Path) -> pd.DataFrame:
    """What the same rows in a file get."""
    customer_table().to_parquet(tmp_path / "in.parquet", index=False)
    target = tmp_path / "expected.parquet"
    batch.run(artifact[0], str(tmp_path / "in.parquet"), str(target), keep=["customer_id"])
    return pd.read_parquet(target)


def test_a_batch_reads_and_writes_tables(
    artifact: Artifact, customers: str, database: str, expected: pd.DataFrame
):
    for _ in range(2):  # the second time the table is there
        result = batch.run(artifact[0], customers, f"{database}#answers", keep=["customer_id"])
        assert result.rows == 25
        assert "p@ss" not in result.target
        assert "%40" not in result.target
        pd.testing.assert_frame_equal(answers(database), expected, check_dtype=False)


def test_parts_meet_in_a_table(
    artifact: Artifact, customers: str, database: str, expected: pd.DataFrame, tmp_path: Path
):
    def part(index: int) -> batch_parts.PartResult:
        return batch_parts.run_part(
            str(artifact[0]), customers, f"{database}#answers", settings_in(tmp_path), index=index, of=3,
            parts=tmp_path / "parts", keep=["customer_id"], chunk_rows=4,
        )  # fmt: skip

    assert [part(index).joined is None for index in range(3)] == [True, True, False]
    pd.testing.assert_frame_equal(answers(database), expected, check_dtype=False)


def test_a_table_that_cannot_be_replaced_stays_as_it_was(database: str):
    with sa.create_engine(database).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE answers (customer_id bigint)")
        connection.exec_driver_sql("INSERT INTO answers VALUES (7)")
        connection.exec_driver_sql("CREATE VIEW used AS SELECT * FROM answers")
    sink = open_sink(f"{database}#answers")
    sink.write(pd.DataFrame({"customer_id": [1, 2]}))
    with pytest.raises(JobError, match=r"nothing was written: .*depend"):
        sink.publish()
    sink.discard()
    assert answers(database)["customer_id"].tolist() == [7]


def test_readers_are_not_shut_out_while_rows_are_collected(database: str):
    with sa.create_engine(database).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE answers AS SELECT 7 AS customer_id")
    sink = open_sink(f"{database}#answers")
    sink.write(pd.DataFrame({"customer_id": [1, 2]}))
    assert answers(database)["customer_id"].tolist() == [7]
    sink.publish()
    sink.discard()
    assert answers(database)["customer_id"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace(":p%40ss", ":wrong"), "password authentication failed"),
        (lambda url: f"{url}_not_there", "does not exist"),
    ],
    ids=["password", "database"],
)
def test_what_the_server_refuses_is_one_line(database: str, change: Callable[[str], str], said: str):
    with pytest.raises(JobError, match=said) as refused:
        open_source(f"{change(database)}#customers").columns()
    assert "ss%3A" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
