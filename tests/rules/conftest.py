"""promtool, and the rules as the chart renders them."""

import shutil
from pathlib import Path

import pytest

from tests.support import charts, needed
from tests.support.programs import found, program

# Limits of single models that the cases use.
VALUES = {"alerts": {"models": {"lenient": {"accuracy": 0.5}, "strict": {"accuracy": 0.95}}}}


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Ours, else the user's own."""
    return found("promtool") or needed.missing("promtool is missing: serinus-airgap tool promtool")


@pytest.fixture(scope="session")
def helm() -> Path:
    return program("helm")


@pytest.fixture(scope="session")
def rendered(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rule files of the chart and the cases beside them."""
    folder = tmp_path_factory.mktemp("rules")
    for document in charts.objects(charts.template(helm, "monitoring", VALUES)):
        if document["kind"] == "ConfigMap" and document["metadata"]["name"].endswith("-prometheus-rules"):
            for name, text in document["data"].items():
                (folder / name).write_text(text)
    for case in Path(__file__).parent.glob("*.test.yaml"):
        shutil.copy(case, folder)
    return folder
