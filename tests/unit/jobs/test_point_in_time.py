"""What a label may see: rows planted one by one, and traps that must never appear."""

from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from feast import FeatureStore
from tests.support.feast_repo import HOUR, ORIGIN
from tests.support.offline_pair import Pair, plant


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    for name in "abc":
        (folder / f"{name}.parquet").touch()
    return Pair(folder)


def amounts(store: FeatureStore, at: list[timedelta], customer: int = 1) -> list[float | None]:
    labels = pd.DataFrame(
        {"customer_id": customer, "event_timestamp": [ORIGIN + each for each in at], "row": range(len(at))}
    )
    return store.get_historical_features(labels, ["a:a_amount"]).to_arrow().column("a_amount").to_pylist()


SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("rows", "at", "expected"),
    [
        pytest.param([(1, HOUR, HOUR, 5.0)], HOUR, 5.0, id="an event at the very moment counts"),
        pytest.param([(1, HOUR, HOUR, 5.0)], HOUR - MICRO, None, id="a microsecond before it does not"),
        pytest.param([(1, HOUR, HOUR, 5.0)], 7 * HOUR, 5.0, id="the ttl's end is included"),
        pytest.param([(1, HOUR, HOUR, 5.0)], 7 * HOUR + MICRO, None, id="beyond ttl is missing"),
        pytest.param([(1, HOUR, HOUR, 5.0)], 5 * HOUR, 5.0, id="within ttl"),
        pytest.param([(2, HOUR, HOUR, 5.0)], HOUR, None, id="another customer's row"),
        pytest.param(
            [(1, HOUR, HOUR, 5.0), (1, HOUR, 2 * HOUR, 6.0)], 2 * HOUR, 6.0, id="the later created wins a tie"
        ),
        pytest.param(
            [(1, HOUR, HOUR, 5.0), (1, HOUR, 2 * HOUR, 6.0)],
            2 * HOUR - MICRO,
            5.0,
            id="a correction counts from its creation",
        ),
        pytest.param(
            [(1, HOUR, HOUR, 5.0), (1, 2 * HOUR, 4 * HOUR, 6.0)],
            3 * HOUR,
            5.0,
            id="a late row does not leak into the past",
        ),
        pytest.param(
            [(1, HOUR, HOUR, 5.0), (1, 2 * HOUR, 4 * HOUR, 6.0)],
            4 * HOUR,
            6.0,
            id="a late row counts once here",
        ),
        pytest.param(
            [(1, 2 * HOUR, 2 * HOUR, 6.0), (1, HOUR, 4 * HOUR, 5.0)],
            5 * HOUR,
            6.0,
            id="a late row never replaces a newer event",
        ),
        pytest.param(
            [(1, 2 * HOUR, 5 * HOUR, 6.0), (1, HOUR, 5 * HOUR, 5.0)],
            5 * HOUR,
            6.0,
            id="of two that arrive together the newer event",
        ),
        pytest.param(
            [(1, timedelta(0), timedelta(0), 5.0), (1, HOUR, 9 * HOUR, 6.0)],
            6 * HOUR + MICRO,
            None,
            id="an expired row is not revived by one still unknown",
        ),
    ],
)
def test_one_row_at_a_time(pair: Pair, rows: list, at: timedelta, expected: float | None):
    plant(pair, rows)
    assert amounts(pair.ours, [at]) == [expected]


TRAP = -777.0


def trapped(answer: list[float | None]) -> int:
    """Return how many values were planted after the label they stand beside."""
    return sum(value == TRAP for value in answer)


@pytest.mark.parametrize("trap", ["event one second later", "event before, created one second later"])
def test_a_value_planted_one_second_after_each_label_never_appears(pair: Pair, trap: str):
    rng = np.random.default_rng(11)
    pair.write(rng, rows=200)
    history = pd.read_parquet(pair.folder / "a.parquet")
    # Labels far enough apart that a trap has expired (ttl 6 hours) before the next label.
    at = [timedelta(hours=8 * i, minutes=17) for i in range(40)]
    traps = pd.DataFrame(
        {
            "customer_id": 1,
            "event_timestamp": [ORIGIN + each + (SECOND if "event one" in trap else -SECOND) for each in at],
            "created_timestamp": [ORIGIN + each + SECOND for each in at],
            "a_amount": TRAP,
            "a_visits": pd.array([0] * len(at), dtype="Int64"),
            "a_city": "trap",
        }
    )
    pd.concat([history, traps]).to_parquet(pair.folder / "a.parquet", index=False)
    assert trapped(amounts(pair.ours, at)) == 0
    # The same check finds every trap where it may be found: a second later, and in a join that looks
    # at the event alone, which is what Feast does by default.
    assert trapped(amounts(pair.ours, [each + SECOND for each in at])) == len(at)
    if "created" in trap:
        assert trapped(amounts(pair.ours_unfiltered, at)) == len(at)
    broken = duckdb.sql(
        f"""SELECT h.a_amount FROM (SELECT unnest({[str(ORIGIN + each) for each in at]})::TIMESTAMPTZ t) l
        ASOF JOIN (FROM read_parquet('{pair.folder}/a.parquet') WHERE customer_id = 1) h
        ON l.t + INTERVAL 2 SECOND >= h.event_timestamp"""
    ).fetchall()
    assert trapped([row[0] for row in broken]) == len(at)
