"""Helm, and the umbrella as it renders it in each situation."""

from pathlib import Path

import pytest
import yaml
from tests.support import charts
from tests.support.programs import program

SITUATIONS = sorted(path.stem for path in (Path(__file__).parent / "values").glob("*.yaml"))


@pytest.fixture(scope="session")
def helm() -> Path:
    return program("helm")


@pytest.fixture(scope="session", params=["defaults", *SITUATIONS])
def rendered(request: pytest.FixtureRequest, helm: Path) -> str:
    """The umbrella as text, in each situation of tests/charts/values."""
    values = Path(__file__).parent / "values" / f"{request.param}.yaml"
    given = yaml.safe_load(values.read_text()) if values.exists() else {}
    return charts.template(helm, "platform", given)


@pytest.fixture(scope="session")
def documents(rendered: str) -> list[charts.Object]:
    return charts.objects(rendered)
