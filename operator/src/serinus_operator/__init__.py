"""The two decisions, advance the canary and retrain, and the routes of labelled InferenceServices.

Holds: `rollout/`, `retraining/` and `routing/`, which are pure (no I/O, `now` is an argument), `adapters/`,
which do I/O and hold no policy, and the process that leads, watches and applies. `handlers.py` alone knows
Kopf.

Must not: import jobs or server. May be imported by the local loop.
"""
