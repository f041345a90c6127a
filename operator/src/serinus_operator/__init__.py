"""The two decisions: advance the canary, and retrain.

Holds: `rollout/` and `retraining/`, which are pure (no I/O, `now` is an argument), and `adapters/`,
which do I/O and hold no policy.

Must not: import jobs or server. May be imported by the local loop.
"""
