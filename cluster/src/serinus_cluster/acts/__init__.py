"""What each action of the plan does on this machine: what is missing, and how it is put right.

Holds: one act for each action, as thin as its edges allow. Must not hold the order of the steps or
where parts come from (`plan.py`, `sources.py`), nor deadlines of its own.
"""
