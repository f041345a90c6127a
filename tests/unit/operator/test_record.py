import json

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
