"""Values: all known ones are described and taken, unknown ones are refused by their names."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import charts
from tools import chart_docs

from serinus_airgap import versions

PARTS = [chart for chart in charts.NAMES if chart != "platform"]


def values(chart: str) -> dict[str, Any]:
    return yaml.safe_load((charts.CHARTS / chart / "values.yaml").read_text())


def schema(chart: str) -> dict[str, Any]:
    return json.loads((charts.CHARTS / chart / "values.schema.json").read_text())


def open_maps(node: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield each map of a schema that takes unknown keys although it knows some."""
    if "properties" in node and node.get("additionalProperties") is not False:
        yield path or "."
    for key, value in node.get("properties", {}).items():
        yield from open_maps(value, f"{path}.{key}")


def maps(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each map of default values that names something."""
    if node:
        yield path
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from maps(value, (*path, key))


def misspelt(chart: str) -> Iterator[tuple[str, ...]]:
    """Yield the paths at which an unknown key must be refused: where the schema has names of its own."""
    for path in maps(values(chart)):
        node = schema(chart)
        for key in path:
            node = node.get("properties", {}).get(key, {})
        if "properties" in node:
            yield path


@pytest.mark.parametrize("chart", charts.NAMES)
def test_the_table_in_the_readme_is_of_these_values(chart: str):
    folder = charts.CHARTS / chart
    readme = (folder / "README.md").read_text()
    table = chart_docs.table(chart_docs.values((folder / "values.yaml").read_text()))
    assert chart_docs.with_table(readme, table) == readme, "run tools/chart_docs.py"


@pytest.mark.parametrize("chart", charts.NAMES)
def test_no_map_takes_what_it_does_not_know(chart: str):
    assert list(open_maps(schema(chart))) == []


@pytest.mark.parametrize("chart", PARTS)
def test_all_charts_agree_about_what_they_share(chart: str):
    shared = json.loads((charts.CHARTS / "lib" / "global.schema.json").read_text())
    assert schema(chart)["properties"]["global"] == shared
    assert values(chart)["global"] == values("platform")["global"]


@pytest.mark.parametrize("chart", charts.NAMES)
def test_a_misspelt_value_is_refused_by_its_name(helm: Path, chart: str):
    wrong: dict[str, Any] = {}
    paths = list(misspelt(chart))
    for number, path in enumerate(paths):
        node = wrong
        for key in path:
            node = node.setdefault(key, {})
        node[f"mispelt{number}"] = True
    with pytest.raises(charts.Refused) as refusal:
        charts.template(helm, chart, wrong)
    assert [path for number, path in enumerate(paths) if f"'mispelt{number}'" not in str(refusal.value)] == []


@pytest.mark.parametrize("chart", PARTS)
def test_the_umbrella_hands_a_misspelt_value_of_a_part_on(helm: Path, chart: str):
    with pytest.raises(charts.Refused, match=rf"(?s){chart}:.*'mispelt'"):
        charts.template(helm, "platform", {chart: {"mispelt": True}})


@pytest.mark.parametrize("chart", charts.NAMES)
def test_each_chart_also_installs_alone(helm: Path, chart: str):
    assert charts.objects(charts.template(helm, chart))


@pytest.mark.parametrize("chart", PARTS)
def test_a_part_can_be_left_out(helm: Path, chart: str):
    # Who leaves out a Redis says so where it is watched.
    given = {"parts": {chart: False}, "monitoring": {"redisExporter": {"targets": []}}}
    assert f"platform/charts/{chart}/" not in charts.template(helm, "platform", given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mlflow": {"mlflow": {"replicas": 2}}}, "mlflow.replicas: more than one needs artifacts.s3.bucket"),
        (
            {"mlflow": {"postgresql": {"enabled": False, "external": {"host": "db"}}}},
            "postgresql.existingSecret",
        ),
        ({"mlflow": {"auth": {"existingSecret": "mine"}}}, "modelSecrets.create"),
        (
            {
                "mlflow": {
                    "postgresql": {"enabled": False, "existingSecret": "mine"},
                    "modelSecrets": {"create": False},
                }
            },
            "postgresql.external.host is needed",
        ),
        (
            {"parts": {"feast": False}},
            "monitoring.redisExporter.targets: there is no redis in this release (parts.feast or "
            "feast.redis.enabled is false): take its target out",
        ),
        (
            {"feast": {"redis": {"enabled": False}, "modelSecrets": {"create": False}}},
            "there is no redis in this release",
        ),
        (
            {"feast": {"redis": {"enabled": False}}},
            "modelSecrets.create: the chart does not know the address of another Redis; bring "
            "serinus-online-store and serinus-online-store-reader and set it to false",
        ),
        (
            {"serving": {"limits": {"byNamespace": {"serinus-modles": {"requests": 5}}}}},
            "limits.byNamespace: serinus-modles is none of global.models.namespaces: serinus-models",
        ),
        (
            {"serving": {"auth": {"apiKeys": {"clientsByNamespace": {"team-b": ["shop"]}}}}},
            "auth.apiKeys.clientsByNamespace: team-b is none of global.models.namespaces",
        ),
        (
            {"operator": {"namespaces": ["team-b"]}},
            "operator.namespaces: serinus-models of global.models.namespaces is not among them: its models "
            "would get no routes",
        ),
        ({"serving": {"logRedis": {"enabled": False}}}, "there is no log-redis in this release"),
        (
            {
                "mlflow": {
                    "postgresql": {
                        "enabled": False,
                        "existingSecret": "mine",
                        "external": {"host": "db", "sslMode": "verify-full"},
                    },
                    "modelSecrets": {"create": False},
                }
            },
            "postgresql.external.sslMode verify-full needs the authorities' certificates",
        ),
        ({"mlflow": {"postgresql": {"external": {"sslMode": "on"}}}}, "/postgresql/external/sslMode"),
        ({"mlflow": {"postgresql": {"storage": {"size": "5 GB"}}}}, "/postgresql/storage/size"),
        ({"mlflow": {"backup": {"restore": "yesterday"}}}, "/backup/restore"),
        ({"feast": {"redis": {"appendFsync": "never"}}}, "/redis/appendFsync"),
        ({"global": {"models": {"namespaces": ["Team A"]}}}, "/global/models/namespaces/0"),
        ({"global": {"image": {"registry": "https://mirror.example.com"}}}, "/global/image/registry"),
        ({"mlflow": {"backup": {"schedule": "daily"}}}, "/backup/schedule"),
        ({"feast": {"materialization": {"schedule": "30 minutes"}}}, "/materialization/schedule"),
    ],
)
def test_values_that_cannot_work_are_refused_with_the_reason(helm: Path, given: dict[str, Any], words: str):
    with pytest.raises(charts.Refused) as refusal:
        charts.template(helm, "platform", given)
    assert words in str(refusal.value)


def images(helm: Path, given: dict[str, Any]) -> set[str]:
    documents = charts.objects(charts.template(helm, "platform", given))
    return {container["image"] for pod in charts.pods(documents) for container in pod.containers}


def test_a_mirror_takes_the_place_of_every_registry(helm: Path):
    own = {name: f"localhost:5001/serinus/{name}:1" for name in ("modelServer", "jobs", "operator", "mlflow")}
    found = images(helm, {"global": {"image": {"registry": "mirror.example/x/"}, "serinus": {"images": own}}})
    assert {each for each in found if not each.startswith("mirror.example/x/")} == set()
    assert {"mirror.example/x/serinus/mlflow:1", "mirror.example/x/library/redis:7.0.15-bookworm"} <= found


def test_upstream_images_are_the_pinned_ones(helm: Path):
    pinned = set(versions.load().values())
    tags = {each.removeprefix("v") for each in pinned}
    upstream = {each for each in images(helm, {}) if not each.startswith("serinus/")}
    assert {
        each for each in upstream if each not in pinned and each.split(":")[-1].removeprefix("v") not in tags
    } == set()


def test_charts_are_linked_and_of_one_version():
    for chart in charts.NAMES:
        folder = charts.CHARTS / chart
        meta = yaml.safe_load((folder / "Chart.yaml").read_text())
        assert (meta["version"], meta["name"]) == ("0.1.0", chart)
        for each in meta["dependencies"]:
            target = folder / each["repository"].removeprefix("file://")
            assert (folder / "charts" / each["name"]).resolve() == target.resolve()
            assert each["version"] == yaml.safe_load((target / "Chart.yaml").read_text())["version"]
    assert [path for pattern in ("*.tgz", "Chart.lock") for path in charts.CHARTS.rglob(pattern)] == []


@pytest.mark.parametrize("chart", charts.NAMES)
def test_the_notes_name_what_to_do_next(chart: str):
    notes = (charts.CHARTS / chart / "templates" / "NOTES.txt").read_text()
    commands = [line for line in notes.splitlines() if line.strip().startswith("kubectl ")]
    assert len(commands) >= 2, notes


def test_helm_finds_nothing_to_mend(helm: Path):
    folders = [str(charts.CHARTS / chart) for chart in charts.NAMES]
    done = subprocess.run(
        [str(helm), "lint", "--strict", *folders], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout
