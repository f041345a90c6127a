"""What the documents name exists: values of the charts, objects of the release and of the models' folders."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import charts
from tests.support.programs import program

pytestmark = pytest.mark.helm

PAGES = sorted(
    path
    for pattern in ("docs/**/*.md", "charts/*/README.md", "charts/*/templates/NOTES.txt")
    for path in charts.ROOT.glob(pattern)
)
VALUES = {name: yaml.safe_load((charts.CHARTS / name / "values.yaml").read_text()) for name in charts.NAMES}
# Where the umbrella says nothing about a part, the part's own values hold.
UMBRELLA = VALUES["platform"] | {name: values for name, values in VALUES.items() if name != "platform"}
# A value in a sentence, such as `serving.log.maxRows` or `logRedis.enabled: false`; files end otherwise.
VALUE = re.compile(r"`([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?!\.<)(?:[:=][^`]*)?`")
FILES = ("yaml", "json", "md", "py")
OBJECT = re.compile(r"\b(cronjob|deployment|statefulset|service)/([a-z0-9-]+)(?![-a-z0-9$<{])")
# Of others: KServe's names for a model, Envoy Gateway's own.
OTHERS = {("deployment", "churn-predictor"), ("deployment", "envoy-gateway")}


def relative(path: Path) -> str:
    return path.relative_to(charts.ROOT).as_posix()


def known(values: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Say whether default values have the path; below an empty map a user names keys of their own."""
    node: Any = values
    for key in path:
        if not isinstance(node, Mapping) or (node and key not in node):
            return False
        if not node:
            return True
        node = node[key]
    return True


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_values_that_a_page_names_exist(path: Path):
    chart = next((name for name in charts.NAMES if relative(path).startswith(f"charts/{name}/")), None)
    own = VALUES[chart] if chart else {}
    for name in VALUE.findall(path.read_text()):
        keys = name.split(".")
        if keys[-1] not in FILES and (keys[0] in UMBRELLA or keys[0] in own):
            assert known(UMBRELLA, keys) or known(own, keys), f"{relative(path)}: {name}"


@pytest.fixture(scope="module")
def objects(helm: Path) -> set[tuple[str, str]]:
    """Kind and name of what the release and the models' folders bring."""
    found = charts.objects(charts.template(helm, "platform", {}))
    for model in ("churn", "iris", "mlc_churn"):
        command = [str(program("kubectl")), "kustomize", str(charts.ROOT / "manifests/models" / model)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        found += charts.objects(done.stdout)
    return {(each["kind"].lower(), each["metadata"]["name"]) for each in found}


def test_objects_that_commands_name_exist(objects: set[tuple[str, str]]):
    for path in PAGES:
        for each in OBJECT.findall(path.read_text()):
            assert each in objects | OTHERS, f"{relative(path)}: {'/'.join(each)}"
