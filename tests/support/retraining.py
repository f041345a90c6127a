"""Alerts and runs of a retraining policy, around one moment."""

from serinus_operator.retraining.model import Policy, Run, Trigger

NOW = 1_760_000_000.0
HOUR, DAY = 3600.0, 86400.0
POLICY = Policy(cooldown_seconds=HOUR, budget_per_day=3)


def trigger(fingerprint="f1", start=NOW - DAY, end=NOW, revision="r1", model="churn"):
    return Trigger(model, revision, fingerprint, start, end, f"drift in {fingerprint}")


def run(
    fingerprint="f1", started=NOW - 5 * HOUR, outcome="no_effect", until=None, lasted=60.0, model="churn"
):
    finished = None if outcome == "running" else started + lasted
    data_until = started if until is None else until
    return Run(f"{fingerprint}-{started}", model, fingerprint, started, data_until, outcome, finished)
