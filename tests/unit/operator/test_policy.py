from pathlib import Path

import pytest

from serinus_operator.rollout.policy import Policy, PolicyError, parse_policy


def test_defaults_and_steps():
    policy = parse_policy("steps: [5, 25, 100]\n")
    assert policy.tolerance == 1.2
    assert policy.signals == {"errors": 0.5, "slow": 0.25, "invalid": 0.25}
    assert [policy.next_weight(w) for w in (0, 5, 7, 25, 100)] == [5, 25, 25, 100, None]
    assert policy.on_inconclusive == "hold"


def test_json_is_taken_too():
    assert parse_policy('{"steps": [10], "alpha": 0.01}').alpha == 0.01


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("", None, "steps"),
        ("- 1\n", 1, "list"),
        ("alpha: 0.1\n", 1, "steps"),
        ("steps: []\n", 1, "steps"),
        ("steps: [10, 5]\n", 1, "steps[1]"),
        ("steps:\n  - 10\n  - 10\n", 3, "steps[1]"),
        ("steps: [0]\n", 1, "steps"),
        ("steps: [101]\n", 1, "steps"),
        ("steps: [1000000]\n", 1, "steps"),
        ("steps: [1.5]\n", 1, "steps"),
        ("steps: " + str(list(range(1, 102))), 1, "steps"),
        ("steps: [10]\nalpha: 0\n", 2, "alpha"),
        ("steps: [10]\nalpha: 1\n", 2, "alpha"),
        ("steps: [10]\n\nalpha: .nan\n", 3, "alpha"),
        ("steps: [10]\nalpha: yes\n", 2, "alpha"),
        ("steps: [10]\ntolerance: .nan\n", 2, "tolerance"),
        ("steps: [10]\ntolerance: .inf\n", 2, "tolerance"),
        ("steps: [10]\ntolerance: 0.5\n", 2, "tolerance"),
        ("steps: [10]\ninterval_seconds: 0\n", 2, "interval_seconds"),
        ("steps: [10]\nminimum_requests: 0\n", 2, "minimum_requests"),
        ("steps: [10]\nminimum_requests: 10\nminimun_seconds: 3\n", 3, "minimun_seconds"),
        ("steps: [10]\nsignals:\n  errors: 0.5\n  slow: 0.6\n", 2, "signals"),
        ("steps: [10]\nsignals:\n  errors: 0\n", 2, "signals"),
        ("steps: [10]\nsignals: {cpu: 1}\n", 2, "signals"),
        ("steps: [10]\nceilings: {errors: 1.0}\n", 2, "ceilings"),
        ("steps: [10]\nceilings: {}\n", 2, "ceilings: is empty"),
        ("steps: [10]\non_inconclusive: promote\n", 2, "on_inconclusive"),
        ("steps: [10]\nsteps: [20]\n", 2, "steps"),
        ("steps: [10]\nminimum_seconds: 60\ndeadline_seconds: 30\n", 3, "deadline_seconds"),
        ("steps: [10\n", 2, "not YAML"),
        ("a: &a [1]\nsteps: *a\n", 2, "alias"),
        ("steps: [10]\n\x00", None, "not YAML"),
        ("[" * 500, None, "not YAML"),
        ("#" * 70000, None, "longer"),
    ],
)
def test_a_bad_policy_names_line_and_field(text: str, line: int | None, field: str):
    with pytest.raises(PolicyError) as raised:
        parse_policy(text, "p.yaml")
    message = str(raised.value)
    assert message.startswith(f"p.yaml line {line}: " if line else "p.yaml"), message
    assert field in message, message


def test_what_evidence_depends_on_changes_the_fingerprint_and_the_rest_does_not():
    base = parse_policy("steps: [10]\n")
    same = parse_policy("steps: [10, 20]\ndeadline_seconds: 7200\nalpha: 0.01\n")
    other = parse_policy("steps: [10]\ntolerance: 1.5\n")
    assert same.fingerprint() == base.fingerprint() != other.fingerprint()


def test_every_field_is_in_the_reference_and_its_example_is_a_policy():
    text = (Path(__file__).resolve().parents[3] / "docs/reference/judge.md").read_text()
    for field in Policy.__struct_fields__:
        assert f"| `{field}` |" in text, field
    example = text.split("```yaml\n")[1].split("```")[0]
    assert parse_policy(example).signals["predictions"] == 0.2


def test_a_ceiling_of_a_signal_that_is_not_judged_is_refused():
    with pytest.raises(PolicyError, match=r"policy line 3: ceilings\.slow: is not among `signals`"):
        parse_policy("steps: [10]\nsignals: {errors: 1}\nceilings: {errors: 0.1, slow: 0.01}\n")
    assert "slow" not in parse_policy("steps: [10]\nsignals: {errors: 1}\n").signals
