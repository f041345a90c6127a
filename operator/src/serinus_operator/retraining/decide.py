"""Retrain? A pure decision on all that is remembered, so that it may be taken again at any time.

A trigger is answered, and starts nothing, when
- a run that ended in a model had its whole window to train on (the same data would give the same model);
- a run of the same fingerprint exists, and the trigger's window is not wholly newer than that run's
  data. So one fingerprint starts one run ever, unless the data has moved on.
What is not answered waits for the run in flight, the cool-down (doubled for each run in a row that
brought nothing) and the budget. A clock that was set back delays a start and never adds one.
"""

import hashlib
import re
from collections.abc import Sequence

from serinus_contracts.documents import canonical_json
from serinus_operator.retraining.model import Decision, Nothing, Policy, Run, Start, Trigger, Wait

_DAY = 86400.0
# Two machines' clocks may differ by this; a window that ends later than that comes from a wrong clock.
_SKEW = 300.0
_LONGEST_STEM = 40


def decide(
    model: str,
    triggers: Sequence[Trigger],
    runs: Sequence[Run],
    policy: Policy,
    now: float,
    serving: str | None = None,
) -> Decision:
    """Decide for `model`, given every trigger at hand and every run ever started, in any order.

    With `serving` (a revision), triggers about other revisions count as answered.
    """
    own = sorted((run for run in runs if run.model == model), key=lambda run: run.started_at)
    asked = [each for each in triggers if each.model == model]
    if serving is not None:
        asked = [each for each in asked if each.revision == serving]
    open_ = [each for each in asked if not _answered(each, own) and each.window_end <= now + _SKEW]
    if not open_:
        return Nothing(_why_nothing(asked, now))
    chosen = max(open_, key=lambda each: (each.window_end, each.window_start, each.fingerprint))
    held = _held(own, policy, now)
    if held is not None:
        return held
    anchor = max((run.data_until for run in own if run.fingerprint == chosen.fingerprint), default=0.0)
    others = len({each.fingerprint for each in open_}) - 1
    return Start(
        name=job_name(model, chosen.fingerprint, anchor),
        fingerprint=chosen.fingerprint,
        reason=chosen.cause + (f"; and {others} more" if others else ""),
        data_until=chosen.window_end,
    )


def job_name(model: str, fingerprint: str, anchor: float) -> str:
    """Return the Job's name, a DNS label of at most 63 characters.

    `anchor` is the end of the data of the newest earlier run of this fingerprint, 0 for the first: it
    stays the same while reports come in for ever newer windows, and so does the name.
    """
    stem = re.sub(r"[^a-z0-9]+", "-", model.lower())[:_LONGEST_STEM].strip("-") or "model"
    digest = hashlib.sha256(canonical_json([model, fingerprint, float(anchor)])).hexdigest()[:12]
    return f"{stem}-retrain-{digest}"


def backoff_seconds(runs: Sequence[Run], policy: Policy) -> float:
    """Return the pause after the last of `runs` (one model's, by start): the cool-down, doubled for each
    run since the last promoted one."""
    futile = 0
    for run in reversed(runs):
        if run.outcome == "promoted":
            break
        futile += run.outcome in ("no_effect", "failed")
    # 2**60 seconds are longer than any limit, and beyond 2**1023 a float overflows.
    doubled = policy.cooldown_seconds * 2.0 ** min(futile, 60)
    return max(policy.cooldown_seconds, min(doubled, policy.longest_backoff_seconds))


def _answered(trigger: Trigger, runs: Sequence[Run]) -> bool:
    for run in runs:
        if run.fingerprint == trigger.fingerprint and trigger.window_start < run.data_until:
            return True
        if run.outcome in ("promoted", "no_effect") and trigger.window_end <= run.data_until:
            return True
    return False


def _held(runs: Sequence[Run], policy: Policy, now: float) -> Wait | None:
    for run in runs:
        if run.outcome == "running":
            return Wait(f"{run.name} is in flight", None)
    if policy.budget_per_day == 0:
        return Wait("the budget is 0 a day", None)
    # A start that lies in the future (the clock was set back) counts as one of today's.
    today = [run.started_at for run in runs if run.started_at > now - _DAY]
    if len(today) >= policy.budget_per_day:
        until = today[len(today) - policy.budget_per_day] + _DAY
        return Wait(f"{len(today)} runs in 24 hours, the budget is {policy.budget_per_day}", until)
    if runs:
        pause = backoff_seconds(runs, policy)
        until = max(max(run.started_at, run.finished_at or 0.0) for run in runs) + pause
        if now < until:
            return Wait(f"cool-down of {pause:.0f} s after the last run", until)
    return None


def _why_nothing(asked: Sequence[Trigger], now: float) -> str:
    if not asked:
        return "no report asks for retraining"
    if any(each.window_end > now + _SKEW for each in asked):
        return "answered, or from a window that ends in the future: compare the clocks"
    return "answered by earlier runs"
