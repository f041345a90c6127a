"""Doors to the world: metrics, traffic, registry. I/O without policy."""
