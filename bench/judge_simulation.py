"""`make simulate`: how often each rule rolls back a healthy canary, and how soon a bad one.

Our columns call the shipped evidence and the shipped judge, look by look; nothing is re-implemented.
Requests are Poisson, split at random; errors independent but where a row says otherwise.
"""

import argparse
import math
from collections.abc import Callable

import numpy as np
from scipy.stats import beta

from bench import judge_rivals as rivals
from bench.judge_rivals import LOOKS, Case, Outcome, weight
from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout import evidence
from serinus_operator.rollout.counters import Counts, Sample
from serinus_operator.rollout.judge import judge
from serinus_operator.rollout.policy import parse_policy
from serinus_operator.rollout.state import JudgeState, expected_shifts

ALPHA = 0.05
BASE = 0.005
POLICY = parse_policy(
    "steps: [10, 20, 30, 40, 50]\nminimum_seconds: 300\ninterval_seconds: 60\nno_data_seconds: 900\n"
    "deadline_seconds: 3600\nsignals: {errors: 1.0}\nceilings: {errors: 0.05}\n"
)
Rule = Callable[[np.random.Generator, Case, int], Outcome]


def e_process(tolerance: float, looks: int = LOOKS) -> Rule:
    """Roll back when the shipped harm e-process of the errors reaches 1/alpha."""

    def rule(rng: np.random.Generator, case: Case, runs: int) -> Outcome:
        sums = [evidence.NO_HARM_YET] * runs
        done, errors = np.zeros(runs, int), np.zeros(runs, int)
        for minute in range(1, looks + 1):
            seen = case.minute(rng, minute, weight(minute), runs)
            errors += seen.x_b * (done == 0)
            for run in np.flatnonzero((done == 0) & (seen.x_a + seen.x_b > 0)):
                n, x_b = int(seen.n_a[run] + seen.n_b[run]), int(seen.x_b[run])
                bad = int(seen.x_a[run]) + x_b
                sums[run] = evidence.harm(sums[run], x_b, bad, int(seen.n_b[run]) / n, tolerance)
                if x_b and evidence.log_mean_exp(sums[run]) >= -math.log(ALPHA):
                    done[run] = minute
        return Outcome(done, errors)

    return rule


def whole_judge(rng: np.random.Generator, case: Case, runs: int) -> tuple[float, float]:
    """Return the shares (rolled back, promoted) when the shipped judge decides on every step."""
    ends = {"rollback": 0, "promote": 0}
    for _ in range(runs):
        state, step, n = JudgeState(), 10, [0, 0, 0, 0]
        for minute in range(1, 61):
            seen = case.minute(rng, minute, step / 100, 1)
            n = [total + int(part[0]) for total, part in zip(n, seen, strict=True)]
            sample = Sample(60.0 * minute, step, Counts(n[0], n[1]), Counts(n[2], n[3]))
            state, verdict = judge(POLICY, state, sample)
            if verdict.verdict == "advance":
                step = POLICY.next_weight(step) or step
            elif verdict.verdict in ends:
                ends[verdict.verdict] += 1
                break
    return ends["rollback"] / runs, ends["promote"] / runs


RULES: dict[str, Rule] = {
    "Flagger": rivals.flagger,
    "Argo": rivals.argo,
    "Kayenta": rivals.kayenta,
    "e, phi0=1": e_process(1.0),
    "e, phi0=1.2": e_process(1.2),
}


def interval(hits: int, runs: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a share."""
    tail = (1 - level) / 2
    low = beta.ppf(tail, hits, runs - hits + 1) if hits else 0.0
    high = beta.ppf(1 - tail, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)


def verdict_on(hits: int, runs: int) -> str:
    """Return a rate with its 95 % interval, marked + when its 99 % upper bound is within alpha."""
    low, high = interval(hits, runs)
    bound = interval(hits, runs, 0.98)[1]
    return f"{hits / runs:.3f} [{low:.3f}, {high:.3f}]{'+' if bound <= ALPHA else ' '}"


def row(name: str, cells: list[str]) -> None:
    """Print one line of a table as soon as it is known."""
    print(f"| {name:<34} | " + " | ".join(f"{cell:<26}" for cell in cells) + " |", flush=True)


def heading(title: str, columns: list[str]) -> None:
    """Print a table's title and head."""
    print(f"\n{title}\n")
    row("case", columns)
    print("|" + "-" * 36 + "|" + "|".join(["-" * 28] * len(columns)) + "|", flush=True)


def constant(rate: float) -> Callable[[int], float]:
    """Return a rate that never changes."""
    return lambda _minute: rate


def healthy(name: str, rps: float, rate: Callable[[int], float]) -> Case:
    """Return a case in which both arms are alike."""
    return Case(f"{name}, {rps:g} rps", rps, rate, rate)


def burst(minute: int) -> float:
    """20 times the base rate in both arms, for five minutes."""
    return BASE * (20 if 2 < minute <= 7 else 1)


def false_rollbacks(rng: np.random.Generator, runs: int) -> None:
    """A/A: both arms alike, so every rollback is false."""
    heading(
        f"False rollbacks of a healthy canary, {runs} runs: rate [95 % interval], + when its 99 % upper "
        f"bound is at most {ALPHA}. Last column ({runs // 10} runs): rolled back / promoted within an hour",
        [*RULES, "whole judge"],
    )
    cases = [
        *(healthy("A/A, 0.5 %", rps, constant(BASE)) for rps in (0.2, 1, 10, 50)),
        *(healthy("A/A, own errors 1.2 %", rps, constant(0.012)) for rps in (1, 10, 200)),
        *(healthy("A/A, shared burst x20", rps, burst) for rps in (1, 10, 50)),
        *(healthy("A/A, rate drifts x1 to x9", rps, lambda m: BASE * (1 + m / 3)) for rps in (10,)),
    ]
    for case in cases:
        cells = [verdict_on(int((rule(rng, case, runs).minute > 0).sum()), runs) for rule in RULES.values()]
        few = max(runs // 10, 20)
        row(case.name, [*cells, "{:.3f} / {:.3f}".format(*whole_judge(rng, case, few))])
    case = healthy("A/A, 500 looks (8 h)", 10, constant(BASE))
    cells = [
        verdict_on(int((e_process(phi0, 500)(rng, case, runs).minute > 0).sum()), runs) for phi0 in (1.0, 1.2)
    ]
    row(case.name, ["-", "-", "-", *cells, "-"])


def without_data(rng: np.random.Generator) -> None:
    """No traffic, and no metrics."""
    heading("Healthy canary without data", ["Flagger", "Argo", "Kayenta", "whole judge"])
    silent = Case("silent", 0.0, constant(BASE), constant(BASE))
    rules = (rivals.flagger, rivals.argo, rivals.kayenta)
    words = ["rollback" if rule(rng, silent, 1).minute[0] else "pass" for rule in rules]
    for name, arm in (("no traffic", Counts()), ("Prometheus down", None)):
        state, verdict = JudgeState(), None
        for minute in range(1, 41):
            state, verdict = judge(POLICY, state, Sample(60.0 * minute, 10, arm, arm))
        assert verdict is not None
        # Flagger counts a failed query as a failed check; five failed queries abort Argo's analysis;
        # Kayenta has no points to compare.
        theirs = words if arm is not None else ["rollback", "abort", "no data"]
        row(name, [*theirs, verdict.verdict])


def detection(rng: np.random.Generator, runs: int) -> None:
    """How surely, how soon, and how many users see an error of the canary before the rollback."""
    heading(
        f"A bad canary, {runs} runs: P(rollback) @ median, p90 minute; median canary errors until then",
        list(RULES),
    )
    pairs = [(BASE, p) for p in (0.25, 0.05, 0.02, 0.01)] + [(0.001, 0.008), (0.0, 0.02)]
    for stable, canary in pairs:
        for rps in (1, 10, 50):
            case = Case("", rps, constant(stable), constant(canary))
            cells = []
            for rule in RULES.values():
                minute, errors = rule(rng, case, runs)
                rolled = minute > 0
                text = f"{rolled.mean():.2f}"
                if rolled.mean() >= 0.005:
                    median, p90 = np.percentile(minute[rolled], [50, 90])
                    text += f" @ {median:.0f}, {p90:.0f}; {np.median(errors[rolled]):.0f}"
                cells.append(text)
            row(f"{stable:.1%} -> {canary:.1%}, {rps} rps", cells)


def predictions(rng: np.random.Generator, runs: int) -> None:
    """Two classes, errors none: only what is predicted differs."""
    heading(
        f"Prediction shift, {runs} runs, tolerance 1.5: P(rollback) [95 % interval] @ median minute",
        ["1 rps", "10 rps", "50 rps"],
    )
    cases = [
        ("same model, 30 % yes", 0.3, 0.3, 0.3),
        ("rare class, 1 % yes", 0.01, 0.01, 0.01),
        ("expected 30 -> 50 %, and so it is", 0.3, 0.5, 0.5),
        ("expected 30 -> 50 %, stays at 30 %", 0.3, 0.5, 0.3),
        ("inverted labels, 30 -> 70 %", 0.3, 0.3, 0.7),
        ("permuted features, 30 -> 42 %", 0.3, 0.3, 0.42),
        ("one answer for all, 30 -> 0 %", 0.3, 0.3, 0.0),
    ]
    for name, stable, expected, canary in cases:
        cells = []
        for rps in (1, 10, 50):
            minutes = [_shifted(rng, stable, expected, canary, rps) for _ in range(runs)]
            rolled = [minute for minute in minutes if minute]
            text = verdict_on(len(rolled), runs).rstrip()
            cells.append(text + (f" @ {np.median(rolled):.0f}" if rolled else ""))
        row(name, cells)


def _shifted(rng: np.random.Generator, stable: float, expected: float, canary: float, rps: float) -> int:
    """Return the minute at which the shipped shift test rolls back, or 0."""
    shares = ({"no": 1 - p, "yes": p} for p in (stable, expected))
    seen = expected_shifts(ScoreExpectation("a", "b", 20_000, *shares), POLICY.prediction_tolerance)["yes"]
    case = Case("", rps, constant(stable), constant(canary))
    sums = evidence.NO_ODDS_YET
    for look in range(1, LOOKS + 1):
        n_a, x_a, n_b, x_b = (int(part[0]) for part in case.minute(rng, look, weight(look), 1))
        sums = evidence.shift(sums, (x_a, x_b), (n_a, n_b), seen.low, seen.high)
        if evidence.log_mean_exp(sums) >= -math.log(ALPHA):
            return look
    return 0


def promotion(rng: np.random.Generator, runs: int) -> None:
    """How much evidence a promotion needs."""
    heading(
        f"Canary requests until the errors are shown to be below a ceiling (truly 0.5 %), {runs} runs",
        ["median", "p90", "without any error"],
    )
    for limit in (0.05, 0.02, 0.01):
        needed = []
        for _ in range(runs):
            bad, n, block = 0, 0, 10
            while n < 50_000 and evidence.ceiling(bad, n, limit) < -math.log(ALPHA):
                bad, n = bad + int(rng.binomial(block, BASE)), n + block
            needed.append(n)
        clean = next(n for n in range(1, 9999) if evidence.ceiling(0, n, limit) >= -math.log(ALPHA))
        median, p90 = np.percentile(needed, [50, 90])
        row(f"ceiling {limit:.0%}", [f"{median:.0f}", f"{p90:.0f}", f"{clean}"])


def sticky(rng: np.random.Generator, runs: int) -> None:
    """Where the assumption breaks: each user makes 40 requests to one arm, and one user in 100 gets only
    errors. Counting requests is wrong then; counting users is right."""
    heading(f"Sticky users, A/A, {runs} runs: false rollbacks", ["requests counted", "users counted"])
    hits = []
    for per_user in (40, 1):
        rolled = 0
        for _ in range(runs):
            sums = evidence.NO_HARM_YET
            for look in range(1, LOOKS + 1):
                users = int(rng.binomial(60, weight(look)))
                bad_a, bad_b = (int(rng.binomial(n, 0.01)) * per_user for n in (60 - users, users))
                share = users / 60
                sums = evidence.harm(sums, bad_b, bad_a + bad_b, share, 1.2)
                if evidence.log_mean_exp(sums) >= -math.log(ALPHA):
                    rolled += 1
                    break
        hits.append(verdict_on(rolled, runs))
    row("1 % of users see only errors", hits)


def main(arguments: list[str] | None = None) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulated rollouts per cell (default 2000)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    if options.runs < 20:
        parser.error("--runs: at least 20")
    rng = np.random.default_rng(options.seed)
    print(f"alpha {ALPHA}, {LOOKS} looks a minute apart at 10-20-30-40-50 %; seed {options.seed}")
    print("Flagger: >= 99 %, threshold 5. Argo: >= 99 %, failureLimit 3. Kayenta: 10 % against 10 %, 30 min.")
    few = max(options.runs // 5, 20)
    false_rollbacks(rng, options.runs)
    without_data(rng)
    detection(rng, few)
    predictions(rng, few)
    promotion(rng, few)
    sticky(rng, few)


if __name__ == "__main__":
    main()
