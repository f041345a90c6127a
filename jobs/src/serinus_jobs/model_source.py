"""Which model a verb reads: a folder, or a version of the registry by number or alias."""

import re
from pathlib import Path

from serinus_jobs.errors import JobError
from serinus_jobs.settings import Settings

# As serinus-fetch reads it.
_ADDRESS = re.compile(r"mlflow://(?P<model>[^/?#@]{1,256})/(?P<version>@[^/?#@]{1,256}|[0-9]{1,9})")


def pinned(spec: str, settings: Settings) -> str:
    """Return `spec` with an alias replaced by the version that it names now; a folder as it is.

    Raises JobError for an address that is none, and for an alias that names nothing.
    """
    if "://" not in spec:
        return spec
    match = _ADDRESS.fullmatch(spec)
    if match is None:
        raise JobError(f"{spec}: write a folder, mlflow://<model>/<version> or mlflow://<model>/@<alias>")
    if not match["version"].startswith("@"):
        return spec
    from serinus_jobs.registry import Registry

    alias = match["version"][1:]
    found = Registry(settings).by_alias(match["model"], alias)
    if found is None:
        raise JobError(f"{spec}: the registry has no {match['model']} with the alias {alias}")
    return f"mlflow://{match['model']}/{found.version}"


def brought(spec: str, settings: Settings, into: Path) -> Path:
    """Return the folder of the model; one of the registry is downloaded `into` a folder. Raises JobError."""
    spec = pinned(spec, settings)
    match = _ADDRESS.fullmatch(spec)
    if match is None:
        return Path(spec)
    from serinus_jobs.registry import Registry

    registry = Registry(settings)
    return registry.fetch_version(registry.version(match["model"], match["version"]), into)
