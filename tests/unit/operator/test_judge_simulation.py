"""The simulator's own rules, where the answer is known without chance."""

import numpy as np
import pytest
from bench import judge_rivals as rivals
from bench.judge_simulation import constant, e_process, interval, main, whole_judge, without_data


def case(stable: float, canary: float, rps: float = 10) -> rivals.Case:
    return rivals.Case("", rps, constant(stable), constant(canary))


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize(
    ("rule", "minute"),
    [(rivals.flagger, 5), (rivals.argo, 4), (rivals.kayenta, 5), (e_process(1.2), 1)],
)
def test_each_rule_stops_a_canary_that_always_fails_and_spares_a_perfect_one(rule, minute: int):
    broken = rule(rng(), case(0.0, 1.0), 5)
    assert broken.minute.tolist() == [minute] * 5
    assert (broken.errors > 0).all()
    perfect = rule(rng(), case(0.0, 0.0), 5)
    assert perfect.minute.tolist() == perfect.errors.tolist() == [0] * 5


def test_the_whole_judge_promotes_the_perfect_and_stops_the_broken():
    assert whole_judge(rng(), case(0.0, 0.0), 2) == (0.0, 1.0)
    assert whole_judge(rng(), case(0.0, 1.0), 2) == (1.0, 0.0)


def test_without_data(capsys):
    without_data(rng())
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert ["no traffic", "rollback", "rollback", "pass", "inconclusive"] in rows
    assert ["Prometheus down", "rollback", "abort", "no data", "inconclusive"] in rows


def test_clopper_pearson_against_its_closed_form_for_no_hits():
    low, high = interval(0, 100)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert interval(100, 100)[1] == 1.0


def test_too_few_runs_are_refused():
    with pytest.raises(SystemExit):
        main(["--runs", "1"])
