"""The rest of the plug-in: what materialization pulls, saved answers, options, other sources."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from feast import FeatureView, FileSource
from feast.data_source import PushSource
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.repo_config import RepoConfig
from tests.support.feast_repo import (
    FEASTS,
    FEATURES,
    HOUR,
    ORIGIN,
    OURS,
    entity,
    open_store,
    random_history,
    random_labels,
    view,
)

from serinus_jobs.errors import JobError
from serinus_jobs.offline.asof import AsOfOfflineStore

KEYS, TIME, CREATED = ["customer_id"], "event_timestamp", "created_timestamp"
COLUMNS = [f"a_{feature}" for feature in FEATURES]
WINDOW = (ORIGIN + 10 * HOUR, ORIGIN + 30 * HOUR)


@pytest.fixture
def history(tmp_path: Path) -> pd.DataFrame:
    frame = random_history(np.random.default_rng(8), "a", 300, 5, "customer_id")
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    return frame


def config(folder: Path, **options: object) -> RepoConfig:
    return RepoConfig(
        project="tests",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={**OURS, **options},
        entity_key_serialization_version=3,
        repo_path=folder,
    )


def source(folder: Path) -> FileSource:
    return FileSource(name="a", path=str(folder / "a.parquet"), timestamp_field=TIME)


def normal(frame: pd.DataFrame) -> list[tuple]:
    frame = frame[[*KEYS, *COLUMNS, TIME, CREATED]].sort_values([*KEYS, TIME, CREATED]).astype(object)
    return list(frame.where(frame.notna(), None).itertuples(index=False, name=None))


def test_the_newest_row_of_each_key_is_feasts_own(tmp_path: Path, history: pd.DataFrame):
    theirs = open_store(tmp_path / "feasts", FEASTS, [])
    provider = theirs._get_provider()
    asked = (source(tmp_path), KEYS, COLUMNS, TIME, CREATED, *WINDOW)
    expected = provider.offline_store.pull_latest_from_table_or_query(theirs.config, *asked).to_df()
    off = config(tmp_path, filter_by_created_timestamp=False)
    actual = AsOfOfflineStore.pull_latest_from_table_or_query(off, *asked).to_df()
    assert normal(actual) == normal(expected)
    assert len(actual) == 5


def test_the_newest_row_known_at_the_windows_end(tmp_path: Path, history: pd.DataFrame):
    asked = (source(tmp_path), KEYS, COLUMNS, TIME, CREATED, *WINDOW)
    actual = AsOfOfflineStore.pull_latest_from_table_or_query(config(tmp_path), *asked).to_df()
    known = history[(history[TIME].between(*WINDOW)) & (history[CREATED] <= WINDOW[1])]
    newest = known.sort_values([TIME, CREATED]).groupby("customer_id").tail(1)
    assert normal(actual) == normal(newest)
    assert len(newest) == 5


@pytest.mark.parametrize("window", [WINDOW, (None, None), (WINDOW[0], None)])
def test_all_rows_of_a_window(tmp_path: Path, history: pd.DataFrame, window: tuple):
    actual = AsOfOfflineStore.pull_all_from_table_or_query(
        config(tmp_path), source(tmp_path), KEYS, COLUMNS, TIME, CREATED, *window
    ).to_df()
    start, end = window[0] or ORIGIN - 9 * HOUR, window[1] or ORIGIN + 99 * HOUR
    assert normal(actual) == normal(history[history[TIME].between(start, end)])


def test_an_answer_is_saved_once_unless_told(tmp_path: Path, history: pd.DataFrame):
    customer = entity()
    store = open_store(tmp_path / "ours", OURS, [customer, view("a", tmp_path / "a.parquet", None, customer)])
    labels = random_labels(np.random.default_rng(1), 20, 5, "customer_id")
    job = store.get_historical_features(labels, ["a:a_visits"])
    target = SavedDatasetFileStorage(str(tmp_path / "saved" / "training.parquet"))
    dataset = store.create_saved_dataset(job, "training", target)
    assert pq.read_table(tmp_path / "saved/training.parquet").equals(job.to_arrow())
    assert set(dataset.join_keys) == {"customer_id"}
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(target)
    job.persist(target, allow_overwrite=True)
    again = pd.read_parquet(tmp_path / "saved/training.parquet")
    pd.testing.assert_frame_equal(again, job.to_df())


def test_a_join_under_a_small_memory_limit_gives_the_same_answer_and_leaves_nothing(tmp_path: Path):
    rng = np.random.default_rng(3)
    rows, scratch = 400_000, tmp_path / "scratch"
    scratch.mkdir()
    moments = pd.DatetimeIndex(ORIGIN + pd.to_timedelta(rng.integers(0, 10_000_000, rows), unit="s"))
    frame = pd.DataFrame({"customer_id": rng.integers(0, 50, rows), TIME: moments, CREATED: moments})
    for name in COLUMNS:
        frame[name] = rng.normal(size=rows)
    frame["a_city"] = "Bern"
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    customer = entity()
    objects = [customer, view("a", tmp_path / "a.parquet", None, customer)]
    labels = frame[["customer_id", TIME]].assign(row=np.arange(rows))
    tight = {**OURS, "memory_limit": "60MB", "temp_directory": str(scratch), "threads": 1}
    answers = [
        open_store(tmp_path / name, offline, objects).get_historical_features(labels, ["a:a_amount"]).to_df()
        for name, offline in (("tight", tight), ("wide", OURS))
    ]
    unique = ~frame.duplicated(["customer_id", TIME], keep=False)
    assert answers[0]["a_amount"][unique].equals(answers[1]["a_amount"][unique])
    assert answers[0]["a_amount"][unique].equals(frame["a_amount"][unique])
    assert list(scratch.iterdir()) == []


def test_memory_that_is_not_enough_even_so_is_named(tmp_path: Path, history: pd.DataFrame):
    customer = entity()
    tiny = {**OURS, "memory_limit": "1MB"}
    store = open_store(tmp_path / "tiny", tiny, [customer, view("a", tmp_path / "a.parquet", None, customer)])
    labels = random_labels(np.random.default_rng(1), 200_000, 5, "customer_id")
    with pytest.raises(JobError, match="Out of Memory"):
        store.get_historical_features(labels, ["a:a_city"]).to_arrow()


def test_other_sources_are_refused_by_name(tmp_path: Path):
    customer = entity()
    push = PushSource(name="pushed", batch_source=source(tmp_path))
    pushed = FeatureView(name="p", entities=[customer], source=push, ttl=timedelta(days=1))
    with pytest.raises(JobError, match="source 'pushed' is a PushSource"):
        AsOfOfflineStore.pull_all_from_table_or_query(config(tmp_path), push, KEYS, COLUMNS, TIME).to_arrow()
    assert pushed.batch_source == push.batch_source, "a view over a push source reads its batch source"
