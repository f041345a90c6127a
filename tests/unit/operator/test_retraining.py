"""Retraining decisions as a table, and as properties over any sequence of alerts."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.retraining import DAY, HOUR, NOW, POLICY, run, trigger

from serinus_operator.retraining.decide import backoff_seconds, decide, job_name
from serinus_operator.retraining.model import Nothing, Policy, Run, Start, Wait

CASES = {
    "no report": ([], [], Nothing, "no report"),
    "first drift": ([trigger()], [], Start, "drift in f1"),
    "another model's report": ([trigger(model="iris")], [], Nothing, "no report"),
    "another model's run is no obstacle": ([trigger()], [run(model="iris", outcome="running")], Start, "f1"),
    "the same again while its run is going": (
        [trigger()],
        [run(started=NOW - 60, outcome="running", until=NOW - 90)],
        Nothing,
        "answered",
    ),
    "other drift while a run is going": (
        [trigger("f2")],
        [run(started=NOW - 60, outcome="running", until=NOW - 90)],
        Wait,
        "in flight",
    ),
    "the same drift, data overlaps": ([trigger()], [run(until=NOW - HOUR)], Nothing, "answered"),
    "the same drift in wholly newer data": (
        [trigger(start=NOW - HOUR)],
        [run(until=NOW - 2 * HOUR)],
        Start,
        "f1",
    ),
    "the same drift after a failed run, data overlaps": (
        [trigger()],
        [run(outcome="failed", until=NOW - HOUR)],
        Nothing,
        "answered",
    ),
    "other drift that a finished run has seen": ([trigger("f2")], [run(until=NOW)], Nothing, "answered"),
    "other drift that a failed run has seen": (
        [trigger("f2")],
        [run(outcome="failed", until=NOW)],
        Start,
        "f2",
    ),
    "cool-down after a promotion": (
        [trigger("f2")],
        [run(outcome="promoted", started=NOW - 50 * 60, until=NOW - HOUR)],
        Wait,
        "cool-down of 3600 s",
    ),
    "twice the cool-down after no effect": (
        [trigger("f2")],
        [run(started=NOW - 1.5 * HOUR, until=NOW - 2 * HOUR)],
        Wait,
        "cool-down of 7200 s",
    ),
    "budget spent": (
        [trigger("f9")],
        [run(f"f{i}", NOW - (20 - i) * HOUR, "promoted", NOW - 20 * HOUR) for i in range(3)],
        Wait,
        "3 runs in 24 hours, the budget is 3",
    ),
    "a run that started in the future counts": (
        [trigger("f2")],
        [run(started=NOW + DAY, outcome="promoted", until=NOW - DAY)],
        Wait,
        "cool-down",
    ),
    "a window that ends in the future": ([trigger(end=NOW + HOUR)], [], Nothing, "compare the clocks"),
    "a little clock skew": ([trigger(end=NOW + 100)], [], Start, "f1"),
}


@pytest.mark.parametrize("case", CASES)
def test_decisions(case):
    reports, runs, kind, words = CASES[case]

    decision = decide("churn", reports, runs, POLICY, NOW)

    assert isinstance(decision, kind)
    assert words in decision.reason


def test_waits_say_until_when():
    promoted = run(outcome="promoted", started=NOW - 600, until=NOW - HOUR)
    waiting = decide("churn", [trigger("f2")], [promoted], POLICY, NOW)
    assert waiting == Wait("cool-down of 3600 s after the last run", NOW - 600 + 60 + HOUR)
    assert isinstance(decide("churn", [trigger("f2")], [promoted], POLICY, waiting.until - 1), Wait)
    assert isinstance(decide("churn", [trigger("f2")], [promoted], POLICY, waiting.until), Start)

    spent = [run(f"f{i}", NOW - (20 - i) * HOUR, "promoted", NOW - 20 * HOUR) for i in range(3)]
    full = decide("churn", [trigger("f9")], spent, POLICY, NOW)
    assert isinstance(full, Wait)
    assert full.until == NOW + 4 * HOUR
    assert isinstance(decide("churn", [trigger("f9")], spent, POLICY, full.until), Start)
    assert decide("churn", [trigger()], [], replace(POLICY, budget_per_day=0), NOW) == Wait(
        "the budget is 0 a day", None
    )


@pytest.mark.parametrize("started", [NOW - 10, NOW + 10, NOW + DAY])
def test_starts_of_the_last_seconds_and_of_a_clock_ahead_count_in_the_budget(started):
    policy = Policy(cooldown_seconds=0.0, budget_per_day=1)
    earlier = run(started=started, outcome="promoted", until=NOW - DAY, lasted=1.0)

    held = decide("churn", [trigger("f2")], [earlier], policy, NOW)

    assert held == Wait("1 runs in 24 hours, the budget is 1", started + DAY)


def test_only_the_serving_revision_asks():
    assert isinstance(decide("churn", [trigger()], [], POLICY, NOW, serving="r2"), Nothing)
    assert isinstance(decide("churn", [trigger()], [], POLICY, NOW, serving="r1"), Start)


def test_the_newest_window_is_chosen_whatever_the_order_and_the_rest_is_counted():
    reports = [trigger("f1", end=NOW - HOUR), trigger("f2"), trigger("f1", end=NOW - 2 * HOUR)]

    decisions = {decide("churn", order, [], POLICY, NOW) for order in (reports, reports[::-1])}

    assert len(decisions) == 1
    (decision,) = decisions
    assert isinstance(decision, Start)
    assert (decision.fingerprint, decision.reason, decision.data_until) == (
        "f2",
        "drift in f2; and 1 more",
        NOW,
    )


def test_fifty_alerts_in_five_minutes_start_one_run():
    runs: list[Run] = []
    started = []
    for i in range(50):
        now = NOW + 6 * i
        decision = decide("churn", [trigger(f"f{i % 2}", now - DAY, now)], runs, POLICY, now)
        if isinstance(decision, Start):
            started.append(decision)
            runs.append(
                Run(decision.name, "churn", decision.fingerprint, now, decision.data_until, "running")
            )
        if i == 20:
            runs = [replace(each, outcome="no_effect", finished_at=now) for each in runs]

    assert len(started) == 1


@pytest.mark.parametrize(
    ("outcomes", "hours"),
    [
        ([], 1),
        (["promoted"], 1),
        (["no_effect"], 2),
        (["no_effect", "failed", "no_effect"], 8),
        (["no_effect", "promoted", "failed"], 2),
        (["no_effect"] * 2000, 168),
    ],
)
def test_runs_that_bring_nothing_back_off(outcomes, hours):
    runs = [run(started=NOW + i, outcome=outcome) for i, outcome in enumerate(outcomes)]

    assert backoff_seconds(runs, POLICY) == hours * HOUR


def test_a_longest_backoff_below_the_cooldown_does_not_shorten_it():
    policy = replace(POLICY, longest_backoff_seconds=60.0)

    assert backoff_seconds([run()], policy) == HOUR


def test_a_crash_between_decision_and_record_gives_the_same_name_for_a_newer_window():
    first = decide("churn", [trigger(end=NOW)], [], POLICY, NOW)
    again = decide("churn", [trigger(start=NOW - HOUR, end=NOW + HOUR)], [], POLICY, NOW + HOUR)
    later = decide("churn", [trigger(start=NOW)], [run(until=NOW - HOUR)], POLICY, NOW + 3 * HOUR)

    assert isinstance(first, Start)
    assert isinstance(again, Start)
    assert isinstance(later, Start)
    assert first.name == again.name != later.name


@given(st.text(max_size=80), st.text(max_size=40), st.floats(0, 1e11))
@settings(max_examples=200, deadline=None)
def test_names_are_dns_labels(model, fingerprint, anchor):
    name = job_name(model, fingerprint, anchor)

    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    assert name == job_name(model, fingerprint, anchor)


def test_models_whose_names_look_alike_do_not_share_a_job():
    assert job_name("a_b", "f", 0.0) != job_name("a-b", "f", 0.0)


@pytest.mark.parametrize("field", ["cooldown_seconds", "budget_per_day", "longest_backoff_seconds"])
def test_negative_policies_are_refused(field):
    with pytest.raises(ValueError, match="must not be negative"):
        Policy(**{field: -1})


@pytest.mark.parametrize(("outcome", "finished"), [("running", 1.0), ("failed", None)])
def test_impossible_runs_are_refused(outcome, finished):
    with pytest.raises(ValueError, match="finished_at"):
        Run("n", "churn", "f", 0.0, 0.0, outcome, finished)


steps = st.lists(
    st.tuples(
        st.floats(-900, 6 * HOUR),  # how the clock moves; also backwards
        st.sampled_from(["f1", "f2", "f3"]),
        st.floats(60, 2 * DAY),  # the window's length
        st.sampled_from(["running", "promoted", "no_effect", "failed"]),  # what becomes of the run in flight
        st.booleans(),  # the operator dies before it records the start; the Job exists
    ),
    max_size=60,
)


@given(steps, st.integers(0, 4), st.floats(0, 4 * HOUR))
@settings(max_examples=300, deadline=None)
def test_any_sequence_of_alerts_keeps_the_dampers(sequence, budget, cooldown):
    policy = Policy(cooldown_seconds=cooldown, budget_per_day=budget)
    now, runs, names = NOW, [], set()
    for moved, fingerprint, length, outcome, dies in sequence:
        now += moved
        runs = [
            replace(each, outcome=outcome, finished_at=max(now, each.started_at))
            if each.outcome == "running" and outcome != "running"
            else each
            for each in runs
        ]
        alert = trigger(fingerprint, now - length, now)
        decision = decide("churn", [alert] * 3, runs, policy, now)
        if not isinstance(decision, Start):
            continue
        if dies:
            # Asked again, a minute later and with a newer report, it is the same Job.
            again = decide("churn", [trigger(fingerprint, now - length, now + 60)], runs, policy, now + 60)
            assert isinstance(again, Start)
            assert again.name == decision.name
        assert decision.name not in names
        names.add(decision.name)
        assert all(each.outcome != "running" for each in runs)
        assert all(alert.window_start >= each.data_until for each in runs if each.fingerprint == fingerprint)
        assert all(now >= each.started_at + cooldown for each in runs)
        runs = [*runs, Run(decision.name, "churn", fingerprint, now, decision.data_until, "running")]
        assert sum(now - DAY < each.started_at <= now for each in runs) <= budget
