"""The simulated world: the same seed is the same world, and the truth is known for everyone."""

import json
from datetime import date

import pandas as pd

from serinus_local.load import Outcome
from serinus_local.world import World, labels_of, swap_labels, write_labels

ORIGIN = date(2026, 1, 1)


def test_the_same_seed_asks_the_same_and_every_customer_has_a_truth(tmp_path):
    first, second = (World(tmp_path / name, customers=40, seed=3, origin=ORIGIN) for name in "ab")
    window = first.live(10)
    assert first.traffic(window, "churn") == second.traffic(second.live(10), "churn")
    assert set(window.truth) == {str(number) for number in range(1, 41)}
    assert set(window.truth.values()) <= {"yes", "no"}
    assert window.end == date(2026, 1, 11)


def test_requests_are_keys_and_now_and_then_a_whole_row(tmp_path):
    world = World(tmp_path, customers=40, seed=3, origin=ORIGIN)
    requests = world.traffic(world.live(10), "churn")
    instances = [json.loads(each.body)["instances"][0] for each in requests]
    assert {each.path for each in requests} == {"/v1/models/churn:predict"}
    by_key = [each for each in instances if "customer_id" in each]
    assert all(len(each) == 1 for each in by_key)
    assert len(by_key) == 32
    assert all(len(each) == 7 for each in instances if "customer_id" not in each)
    assert sorted(int(each.entity) for each in requests) == list(range(1, 41))


def test_time_goes_on_where_it_stopped(tmp_path):
    world = World(tmp_path, customers=10, seed=3, origin=ORIGIN)
    before, after = world.live(10), world.live(5, shift=1.0)
    assert (before.rows, after.rows) == (100, 50)
    assert pd.read_parquet(after.events)["event_timestamp"].min() == pd.Timestamp(before.end, tz="UTC")


def test_the_truth_comes_for_answered_predictions_only(tmp_path):
    answered = Outcome("user-000001", 1.0, 1.0, 200, "a", "7")
    lost = Outcome("user-000002", 1.0, 1.0, 503, "a", "7")
    labels = labels_of([answered, lost], {"7": "yes"}, 99.0)
    write_labels(tmp_path / "some" / "labels.jsonl", labels)
    text = (tmp_path / "some" / "labels.jsonl").read_text()
    assert json.loads(text) == {"prediction_id": "user-000001", "label": "yes", "observed_at": 99.0}


def test_swapped_labels_are_the_same_rows_the_other_way_round(tmp_path):
    world = World(tmp_path, customers=40, seed=3, origin=ORIGIN)
    source = world.live(14).labels
    swap_labels(source, tmp_path / "swapped.parquet")
    was, now = pd.read_parquet(source), pd.read_parquet(tmp_path / "swapped.parquet")
    assert was.drop(columns="churned").equals(now.drop(columns="churned"))
    assert (was["churned"] != now["churned"]).all()
    assert set(now["churned"]) == {"yes", "no"}
