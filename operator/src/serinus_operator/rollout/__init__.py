"""Whether to advance, hold, promote or roll back a canary: pure decisions on counters.

Frozen dataclasses in, frozen dataclasses out; the same inputs give the same verdict, so a recorded
decision can be replayed. `cli.py` is the one edge: `serinus-judge` reads files and prints.
"""
