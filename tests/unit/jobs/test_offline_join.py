"""Our point-in-time join gives Feast's own answer, and nothing from the future."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureService
from tests.support.feast_repo import (
    FEATURES,
    HOUR,
    ORIGIN,
    OURS,
    entity,
    open_store,
    random_labels,
    view,
)
from tests.support.offline_pair import TTLS, Pair, plant

from serinus_jobs.errors import JobError


def refs(*names: str) -> list[str]:
    return [f"{name}:{name}_{feature}" for name in names for feature in FEATURES]


def normal(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the labels' order, columns by name, every kind of null as None."""
    frame = frame.sort_values("row", ignore_index=True)
    frame = frame[sorted(frame.columns)].astype(object)
    return frame.where(frame.notna(), None)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    for name in "abc":
        (folder / f"{name}.parquet").touch()
    return Pair(folder)


@pytest.mark.parametrize("as_known", [True, False], ids=["created counts", "created ignored"])
@pytest.mark.parametrize("seed", range(8))
def test_the_answer_is_feasts_own(pair: Pair, seed: int, as_known: bool):
    rng = np.random.default_rng(seed)
    pair.write(rng)
    labels = random_labels(rng, 150, 4, "customer_id", "shop_id")
    full = bool(seed % 2)
    ours = (pair.ours if as_known else pair.ours_unfiltered).get_historical_features(
        labels, refs("a", "b", "c"), full_feature_names=full
    )
    theirs = pair.feasts.get_historical_features(
        labels, refs("a", "b", "c"), full_feature_names=full, filter_by_created_timestamp=as_known
    )
    expected, actual = normal(theirs.to_df()), normal(ours.to_df())
    assert actual.notna().mean().min() < 1, "the draw has nulls"
    pd.testing.assert_frame_equal(actual, expected, check_dtype=False)


def test_the_filter_by_creation_changes_the_answer_of_the_draws_above(pair: Pair):
    rng = np.random.default_rng(0)
    pair.write(rng)
    labels = random_labels(rng, 150, 4, "customer_id", "shop_id")
    answers = [
        normal(store.get_historical_features(labels, refs("a")).to_df())
        for store in (pair.ours, pair.ours_unfiltered)
    ]
    assert not answers[0].equals(answers[1])


@pytest.mark.parametrize(
    "form", ["pandas", "arrow", "arrow, naive", "sql", "naive times", "nanoseconds", "other zone"]
)
def test_every_form_of_label_rows_gives_the_same_answer(pair: Pair, form: str):
    rng = np.random.default_rng(3)
    pair.write(rng)
    labels = random_labels(rng, 80, 4, "customer_id")
    expected = normal(pair.ours.get_historical_features(labels, refs("a")).to_df())
    labels.to_parquet(pair.folder / "labels.parquet", index=False)
    moments = labels["event_timestamp"]
    given = {
        "pandas": labels,
        "arrow": pa.Table.from_pandas(labels, preserve_index=False),
        "arrow, naive": pa.Table.from_pandas(
            labels.assign(event_timestamp=moments.dt.tz_localize(None)), preserve_index=False
        ),
        "sql": f"SELECT * FROM read_parquet('{pair.folder}/labels.parquet')",
        "naive times": labels.assign(event_timestamp=moments.dt.tz_localize(None)),
        "nanoseconds": labels.assign(event_timestamp=moments.dt.as_unit("ns")),
        "other zone": labels.assign(event_timestamp=moments.dt.tz_convert("Asia/Tokyo")),
    }[form]
    actual = normal(pair.ours.get_historical_features(given, refs("a")).to_df())
    pd.testing.assert_frame_equal(
        actual.drop(columns="event_timestamp"), expected.drop(columns="event_timestamp")
    )
    assert list(pd.to_datetime(actual["event_timestamp"], utc=True)) == list(expected["event_timestamp"])


def test_rows_keep_their_order_their_columns_and_their_types(pair: Pair):
    rng = np.random.default_rng(5)
    pair.write(rng)
    labels = random_labels(rng, 300, 4, "customer_id").sample(frac=1, random_state=1)
    labels["label"] = np.where(labels["row"] % 2, "yes", "no")
    answer = pair.ours.get_historical_features(labels, refs("a")).to_arrow()
    assert answer.column("row").to_pylist() == labels["row"].tolist()
    assert answer.column("label").to_pylist() == labels["label"].tolist()
    assert answer.schema.field("a_visits").type == pa.int64(), "an integer with nulls stays an integer"
    assert answer.column("a_visits").null_count > 0


def test_join_key_maps_join_one_view_twice(pair: Pair):
    rng = np.random.default_rng(6)
    pair.write(rng)
    labels = random_labels(rng, 60, 4, "sender", "receiver")
    store = pair.ours
    source = store.get_feature_view("a")
    service = FeatureService(
        name="both",
        features=[
            source.with_name("from").with_join_key_map({"customer_id": "sender"})[["a_visits"]],
            source.with_name("to").with_join_key_map({"customer_id": "receiver"})[["a_visits"]],
        ],
    )
    store.apply([service])
    both = store.get_historical_features(labels, service, full_feature_names=True).to_df()
    for prefix, column in (("from", "sender"), ("to", "receiver")):
        alone = store.get_historical_features(
            labels[["row", "event_timestamp", column]].rename(columns={column: "customer_id"}), ["a:a_visits"]
        ).to_df()
        assert both[f"{prefix}__a_visits"].equals(alone["a_visits"])


def test_sources_of_any_time_unit_and_files_with_other_columns(pair: Pair, tmp_path: Path):
    customer = entity("customer")
    for i, unit in enumerate(("s", "ms", "us", "ns")):
        moments = pd.DatetimeIndex([ORIGIN + (i + 1) * HOUR]).as_unit(unit)
        frame = pd.DataFrame(
            {
                "customer_id": [i],
                "event_timestamp": moments if i % 2 else moments.tz_localize(None),
                "created_timestamp": moments,
                "a_amount": [float(i)],
                "a_visits": [i],
                "a_city": ["Bern"],
            }
        )
        if i:
            frame = frame[list(reversed(frame.columns))]
        folder = tmp_path / f"day=2026-03-0{i + 1}"
        folder.mkdir()
        frame.drop(columns=[] if i else ["a_city"]).to_parquet(folder / "part-0.parquet", index=False)
    objects = [customer, view("a", tmp_path / "day=*" / "part-*.parquet", TTLS[0], customer)]
    store = open_store(tmp_path / "store", OURS, objects)
    labels = pd.DataFrame(
        {"customer_id": range(4), "event_timestamp": [ORIGIN + (i + 1) * HOUR for i in range(4)]}
    )
    answer = store.get_historical_features(labels, refs("a")).to_arrow().to_pydict()
    assert answer["a_amount"] == [0.0, 1.0, 2.0, 3.0]
    assert answer["a_city"] == [None, "Bern", "Bern", "Bern"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="customer_id"), "no column 'customer_id'"),
        (lambda frame: frame.drop(columns="event_timestamp"), "need a timestamp column"),
        (
            lambda frame: frame.assign(
                event_timestamp=pd.Series([pd.NaT] * len(frame), dtype="datetime64[us, UTC]")
            ),
            "have no 'event_timestamp'",
        ),
        (lambda frame: frame.assign(a_amount=1.0), "'a_amount' has the name of a feature"),
        (lambda frame: frame.head(0), "there are none"),
        (
            lambda frame: frame.assign(customer_id="x"),
            "feature view a, joined by customer_id: .*BIGINT and VARCHAR",
        ),
    ],
)
def test_label_rows_that_cannot_be_joined_are_refused_by_name(pair: Pair, change, message: str):
    plant(pair, [(1, HOUR, HOUR, 5.0)])
    labels = pd.DataFrame({"customer_id": [1, 2], "event_timestamp": [ORIGIN, ORIGIN + HOUR]})
    labels["event_timestamp"] = pd.DatetimeIndex(labels["event_timestamp"]).as_unit("us")
    with pytest.raises(JobError, match=message):
        pair.ours.get_historical_features(pa.Table.from_pandas(change(labels)), ["a:a_amount"]).to_arrow()


def test_tables_that_cannot_be_read_are_named(tmp_path: Path):
    customer = entity("customer")
    store = open_store(tmp_path, OURS, [customer, view("a", tmp_path / "none-*.parquet", None, customer)])
    labels = pd.DataFrame({"customer_id": [1], "event_timestamp": [ORIGIN]})
    with pytest.raises(JobError, match=r"feature view a: cannot read .*none-\*"):
        store.get_historical_features(labels, ["a:a_amount"]).to_arrow()
    frame = pd.DataFrame(
        {"customer_id": [1], "event_timestamp": ["yesterday"], "created_timestamp": [ORIGIN]}
    )
    frame.to_parquet(tmp_path / "none-1.parquet")
    with pytest.raises(JobError, match="'event_timestamp' is VARCHAR"):
        store.get_historical_features(labels, ["a:a_amount"]).to_arrow()
    frame.assign(event_timestamp=[ORIGIN]).to_parquet(tmp_path / "none-1.parquet")
    with pytest.raises(JobError, match="no column 'a_amount' in"):
        store.get_historical_features(labels, ["a:a_amount"]).to_arrow()
    with pytest.raises(JobError, match="range of dates"):
        store.get_historical_features(features=["a:a_amount"], start_date=ORIGIN, end_date=ORIGIN + HOUR)
