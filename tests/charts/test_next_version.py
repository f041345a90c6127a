"""The next version of the charts over this one: nothing is refused, and nothing restarts in vain."""

from pathlib import Path
from typing import Any

import pytest
from tests.support import charts

NEXT = "0.1.1"
# Own images carry the version in their names where no reference is given.
GIVEN = {name: f"registry.example/{name}:1" for name in ("modelServer", "jobs", "operator", "mlflow")}
VALUES = {"global": {"serinus": {"images": GIVEN}}}


@pytest.fixture(scope="module")
def versions(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[charts.Object]]:
    """All objects of this version and of the next, which differs in its number alone."""
    folder = charts.next_version(tmp_path_factory.mktemp("next") / "charts", NEXT)
    texts = [charts.template(helm, "platform", VALUES, folder=each) for each in (charts.CHARTS, folder)]
    return [charts.objects(text) for text in texts]


def fixed(document: charts.Object) -> dict[str, Any]:
    """Return what of an object can never be changed."""
    spec = document.get("spec", {})
    match document["kind"]:
        case "Deployment":
            return {"selector": spec["selector"]}
        case "StatefulSet":
            return {key: spec[key] for key in ("selector", "serviceName", "volumeClaimTemplates")}
        case "Job":
            return {"template": spec["template"]}
        case "PersistentVolumeClaim":
            return {"spec": spec}
    return {}


def by_name(documents: list[charts.Object]) -> dict[str, charts.Object]:
    return {
        f"{each['kind']} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each
        for each in documents
    }


def test_the_next_version_changes_nothing_that_cannot_change(versions: list[list[charts.Object]]):
    this, following = map(by_name, versions)
    assert set(this) == set(following)
    assert [name for name in this if fixed(this[name]) != fixed(following[name])] == []


def test_the_next_version_restarts_only_what_it_changes(versions: list[list[charts.Object]]):
    # Passwords are random without a cluster: so this also shows that no pod depends on their text.
    this, following = map(by_name, versions)
    restarted = [
        name
        for name, document in this.items()
        if document["kind"] in ("Deployment", "StatefulSet")
        and document["spec"]["template"] != following[name]["spec"]["template"]
    ]
    assert restarted == []
