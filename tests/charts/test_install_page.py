"""The page about a cluster of one's own: builds as `make up` does, values that render, pinned versions."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from tests.support import charts

from serinus_cluster.own_images import IMAGES

PAGE = (charts.ROOT / "docs/install.md").read_text()


def written(name: str) -> list[Any]:
    """Return the documents of the page's block that begins with `# name`."""
    (block,) = re.findall(rf"^```yaml\n# {re.escape(name)}\n(.*?)^```$", PAGE, re.M | re.S)
    return list(yaml.safe_load_all(block))


def test_each_image_of_ours_is_built_as_make_up_builds_it():
    found = re.findall(
        r"^docker build --tag \$TO/(\S+):(\S+) --file (\S+) (?:--build-arg (\S+)=\S+ )?\.$", PAGE, re.M
    )
    version = yaml.safe_load((charts.CHARTS / "platform/Chart.yaml").read_text())["appVersion"]
    base = {each.name: each.key for each in IMAGES}
    assert [tuple(each) for each in found] == [
        (each.name, version, each.dockerfile, base[each.stands_on] if each.stands_on else "")
        for each in IMAGES
    ]
    # And the values name what was pushed.
    (values,) = written("my-values.yaml")
    assert sorted(values["global"]["serinus"]["images"].values()) == sorted(
        f"registry.example.com/serinus/{each.name}:{version}" for each in IMAGES
    )


def test_the_versions_are_the_pins():
    pins = dotenv_values(charts.ROOT / "versions.env")
    rows = dict(re.findall(r"^\| ([A-Za-z -]+) \| (\d+\.\d+) \|", PAGE, re.M))
    keys = ("KUBERNETES", "KSERVE", "ENVOY_GATEWAY", "CERT_MANAGER", "METRICS_SERVER")
    names = ("Kubernetes", "KServe", "Envoy Gateway", "cert-manager", "metrics-server")
    assert rows == {
        name: (pins[key] or "").removeprefix("v").rpartition(".")[0]
        for name, key in zip(names, keys, strict=True)
    }


@pytest.mark.helm
def test_the_values_render_for_the_team(helm: Path):
    (values,) = written("my-values.yaml")
    documents = charts.objects(charts.template(helm, "platform", values))
    places = {each["metadata"].get("namespace") for each in documents} - {None}
    assert places == {charts.NAMESPACE, "team-a"}
    replicas = {
        each["metadata"]["name"]: each["spec"]["replicas"]
        for each in documents
        if each["kind"] == "Deployment"
    }
    assert replicas["serinus-operator"] == 2


def test_the_teams_kustomization_names_the_jobs_image():
    (given,) = written("kustomization.yaml")
    (image,) = given["images"]
    (base,) = yaml.safe_load_all((charts.ROOT / "manifests/jobs/every-job/cronjob.yaml").read_text())
    (container,) = base["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{image['name']}:")
