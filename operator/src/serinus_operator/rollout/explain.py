"""The numbers and the phrases of a verdict, from the judge's state."""

import math
from dataclasses import asdict
from typing import Any

from serinus_operator.rollout import evidence
from serinus_operator.rollout.counters import Sample
from serinus_operator.rollout.policy import RATE_SIGNALS, Policy
from serinus_operator.rollout.state import JudgeState


def numbers(policy: Policy, state: JudgeState, sample: Sample) -> dict[str, Any]:
    """Return every number that a verdict rests on, JSON-ready, finite."""
    signals: dict[str, Any] = {}
    for signal in RATE_SIGNALS:
        rate = state.rates.get(signal)
        if rate is None:
            continue
        signals[signal] = {
            "stable": rate.stable,
            "canary": rate.canary,
            **_e_process(rate.log_e, policy.threshold(signal)),
            "upper_bound": evidence.upper_bound(rate.canary, state.total_canary, policy.alpha),
            "ceiling": policy.ceilings.get(signal),
        }
    if "predictions" in policy.signals:
        signals["predictions"] = {
            "stable": state.prediction_stable,
            "canary": state.prediction_canary,
            **_e_process(state.shift_log_e, policy.threshold("predictions")),
            "classes": {
                name: {
                    "stable": shift.stable,
                    "canary": shift.canary,
                    "odds_ratio": [shift.low, shift.high],
                    "log_e": shift.log_e,
                }
                for name, shift in state.shifts.items()
            },
        }
    return {
        "signals": signals,
        "split": {
            "stable": state.split_stable,
            "canary": state.split_canary,
            **_e_process(state.split_log_e, -math.log(policy.split_alpha)),
        },
        "requests": {"stable": state.total_stable, "canary": state.total_canary},
        "interval": None
        if state.interval_stable is None or state.interval_canary is None
        else {
            "stable": asdict(state.interval_stable),
            "canary": asdict(state.interval_canary),
            "share": state.interval_share,
        },
        "step": {
            "weight": state.step,
            "seconds": max(sample.t - state.step_since, 0.0),
            "requests": state.step_requests,
            "next": policy.next_weight(sample.weight),
        },
        "seconds": None if state.started is None else sample.t - state.started,
        "tolerance": policy.tolerance,
        "alpha": policy.alpha,
        "on_inconclusive": policy.on_inconclusive,
        "policy": policy.fingerprint(),
    }


def _e_process(log_e: float, threshold: float) -> dict[str, float]:
    return {
        "log_e": log_e,
        "e_value": evidence.e_value(log_e),
        "log_threshold": threshold,
        "threshold": evidence.e_value(threshold),
    }


def odds_against(log_e: float) -> str:
    """Return an e-value as a phrase."""
    return f"evidence {number(log_e)} to 1"


def number(log_e: float) -> str:
    """Return an e-value as a short number."""
    value = evidence.e_value(log_e)
    return f"{value:.3g}" if value < 1e6 else f"10^{log_e / math.log(10):.0f}"


def share(part: int, whole: int) -> str:
    """Return a part of a whole with its percentage."""
    return f"{part} of {whole} ({part / whole:.2%})" if whole else "0 of 0"
