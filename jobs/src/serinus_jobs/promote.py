"""The verb `promote`: the registry learns which version serves, once a canary was promoted by hand.

Gates compare with the champion, and batch predictions are its. Where the operator runs a rollout it writes
the same by itself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from serinus_contracts import registry_tags
from serinus_jobs.errors import JobError
from serinus_jobs.project import load_model
from serinus_jobs.registry import Registry
from serinus_jobs.settings import Settings


@dataclass(frozen=True)
class PromoteResult:
    """The champion, and the version that was it before, if there was one."""

    version: str
    previous: str | None


def run(settings: Settings, model: str, version: str = "") -> PromoteResult:
    """Make `version`, or else the candidate, the champion, and the champion of until now `previous`.

    A second call changes nothing, and one that was broken off can be made again. An older version is gone
    back to in the same way. Raises JobError for a version that is not there.
    """
    registry = Registry(settings)
    before = registry.by_alias(model, registry_tags.CHAMPION)
    candidate = registry.by_alias(model, registry_tags.CANDIDATE)
    chosen = registry.version(model, version) if version else candidate
    if chosen is None:
        raise JobError(
            f"{model}: no version has the alias {registry_tags.CANDIDATE}; name one with --version"
        )
    if before is not None and before.version != chosen.version:
        registry.set_alias(model, registry_tags.PREVIOUS, before.version)
    registry.set_alias(model, registry_tags.CHAMPION, chosen.version)
    registry.set_tags(model, chosen.version, {registry_tags.STAGE: registry_tags.STAGES[2]})
    # Last, because a run that is tried again finds by it what is to be promoted.
    if candidate is not None and candidate.version == chosen.version:
        registry.delete_alias(model, registry_tags.CANDIDATE)
    previous = registry.by_alias(model, registry_tags.PREVIOUS)
    return PromoteResult(chosen.version, None if previous is None else previous.version)


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    version: Annotated[str, typer.Option(help="a number of the registry; else the candidate's")] = "",
) -> None:
    """Promote a version and print what is champion now, and what was before."""
    result = run(Settings.from_environment(), load_model(model_dir).name, version)
    print(f"{result.version} {registry_tags.CHAMPION}, {result.previous or 'none'} {registry_tags.PREVIOUS}")
