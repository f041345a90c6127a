"""Benchmarks: figures measured side by side in one run, printed as ratios. Never part of the tests."""
