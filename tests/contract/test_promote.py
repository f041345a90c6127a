"""The verb `promote` on a real MLflow: what serves is what the registry calls the champion."""

from pathlib import Path

import pytest
from tests.support.loans_house import House

from serinus_contracts import registry_tags
from serinus_jobs import promote
from serinus_jobs.errors import JobError
from serinus_jobs.registry import Registry

ALIASES = (registry_tags.CHAMPION, registry_tags.PREVIOUS, registry_tags.CANDIDATE)


def named(registry: Registry, model: str) -> list[str | None]:
    """Return the versions that are champion, previous and candidate."""
    found = [registry.by_alias(model, alias) for alias in ALIASES]
    return [None if each is None else each.version for each in found]


@pytest.fixture
def registry(either: House) -> Registry:
    return Registry(either.settings)


@pytest.fixture
def model(either: House, registry: Registry, request: pytest.FixtureRequest) -> str:
    """A model with a champion and a candidate."""
    name = request.node.name.split("[")[0].replace("_", "-")
    for _ in range(2):
        registry.create_version(name, either.first.run_id, {registry_tags.STAGE: "staging"}, "")
    registry.set_alias(name, registry_tags.CHAMPION, "1")
    registry.set_alias(name, registry_tags.CANDIDATE, "2")
    return name


def test_the_candidate_becomes_champion(either: House, registry: Registry, model: str) -> None:
    result = promote.run(either.settings, model)
    assert (result.version, result.previous) == ("2", "1")
    assert named(registry, model) == ["2", "1", None]
    assert registry.version(model, "2").tags[registry_tags.STAGE] == "production"


def test_a_run_that_was_broken_off_is_made_again(either: House, registry: Registry, model: str) -> None:
    # All was written but the end.
    registry.set_alias(model, registry_tags.PREVIOUS, "1")
    registry.set_alias(model, registry_tags.CHAMPION, "2")
    promote.run(either.settings, model)
    assert named(registry, model) == ["2", "1", None]
    # And a second time changes nothing.
    promote.run(either.settings, model, "2")
    assert named(registry, model) == ["2", "1", None]


def test_an_older_version_is_gone_back_to(either: House, registry: Registry, model: str) -> None:
    promote.run(either.settings, model)
    promote.run(either.settings, model, "1")
    assert named(registry, model) == ["1", "2", None]


def test_what_is_not_there_cannot_be_promoted(either: House, registry: Registry, model: str) -> None:
    with pytest.raises(JobError, match=f"{model} version 9"):
        promote.run(either.settings, model, "9")
    promote.run(either.settings, model)
    with pytest.raises(JobError, match="no version has the alias candidate; name one with --version"):
        promote.run(either.settings, model)
    assert named(registry, model) == ["2", "1", None]


def test_the_command_says_who_is_champion(
    either: House, registry: Registry, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = (either.project / "model.yaml").read_text()
    (tmp_path / "model.yaml").write_text(project.replace("name: loans", "name: told"))
    registry.create_version("told", either.first.run_id, {}, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", either.settings.tracking_uri)
    newest = registry.versions("told")[0].version
    promote.command(tmp_path, newest)
    assert capsys.readouterr().out.startswith(f"{newest} champion, ")
