import json
from dataclasses import replace

import msgspec
import pytest
from tests.support.rollouts import EXPECTATIONS, POLICY, SHIFT_POLICY, live, stream

from serinus_operator.rollout.judge import judge
from serinus_operator.rollout.record import RecordError, make_record, parse_record, replay
from serinus_operator.rollout.state import JudgeState


def recorded(samples, policy=POLICY, state=None) -> list[str]:
    state, previous, lines = state or JudgeState(), "", []
    for sample in samples:
        after, verdict = judge(policy, state, sample)
        record = make_record(policy, state, sample, verdict, previous)
        lines.append(record.to_json())
        state, previous = after, record.digest
    return lines


@pytest.mark.parametrize(("stable", "canary"), [(0.01, 0.01), (0.02, 0.1), (0.3, 0.3), (0.0, 0.5)])
def test_every_record_of_a_whole_rollout_replays_bit_for_bit(stable: float, canary: float):
    previous = ""
    for line in recorded(stream(5, stable=stable, canary=canary)):
        record = parse_record(line)
        assert replay(record) == record.verdict
        assert record.previous == previous
        previous = record.digest


@pytest.mark.parametrize(("stable", "canary", "word"), [(0.01, 0.01, "promote"), (0.3, 0.9, "rollback")])
def test_the_order_in_which_a_policy_was_written_changes_no_sentence(stable: float, canary: float, word: str):
    written = msgspec.structs.replace(
        POLICY,
        signals={"slow": 0.2, "invalid": 0.3, "errors": 0.5},
        ceilings={"slow": 0.95, "invalid": 0.95, "errors": 0.95},
    )
    samples = []
    for sample in stream(6, stable=stable, canary=canary, weight=50):
        # The same bad requests in every signal, so that all of them have something to say at once.
        assert sample.stable is not None
        assert sample.canary is not None
        arms = [replace(arm, slow=arm.errors, invalid=arm.errors) for arm in (sample.stable, sample.canary)]
        samples.append(replace(sample, stable=arms[0], canary=arms[1]))
    records = [parse_record(line) for line in recorded(samples, written)]
    assert {record.verdict.verdict for record in records} >= {word}
    assert [replay(record) for record in records] == [record.verdict for record in records]


def test_records_with_predictions_replay_too():
    state = JudgeState(expectation=EXPECTATIONS["same"])
    for line in recorded(live(0.3, 0.4), SHIFT_POLICY, state):
        record = parse_record(line)
        assert replay(record) == record.verdict


def test_a_changed_record_is_refused():
    document = json.loads(recorded(stream(1, stable=0.1, canary=0.1, ticks=1))[0])
    document["verdict"]["verdict"] = "promote"
    with pytest.raises(RecordError, match="r line 1: digest"):
        parse_record(json.dumps(document), "r line 1")


@pytest.mark.parametrize(("line", "field"), [("{", "not JSON"), ("[]", r"\$"), ('{"policy": {}}', "missing")])
def test_a_malformed_record_names_the_place(line: str, field: str):
    with pytest.raises(RecordError, match=f"x: .*{field}"):
        parse_record(line, "x")
