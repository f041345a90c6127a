"""Runs and versions, as the registry tells of them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run. `started` is Unix seconds."""

    run_id: str
    status: str
    started: float
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]

    @classmethod
    def of(cls, found: Any) -> "Run":
        """Return what MLflow's client found."""
        info, data = found.info, found.data
        return cls(
            info.run_id,
            info.status,
            info.start_time / 1000,
            dict(data.params),
            dict(data.metrics),
            dict(data.tags),
        )


@dataclass(frozen=True)
class Version:
    """One registered version. `source` is the folder that holds the artifact."""

    model: str
    version: str
    run_id: str
    source: str
    tags: dict[str, str]
    aliases: tuple[str, ...]

    @classmethod
    def of(cls, found: Any) -> "Version":
        """Return what MLflow's client found."""
        return cls(
            found.name,
            str(found.version),
            found.run_id or "",
            found.source,
            dict(found.tags),
            tuple(sorted(found.aliases)),
        )
