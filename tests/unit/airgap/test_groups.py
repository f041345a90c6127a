"""go.mod files and the table of pins say the same, and a difference names the commands that mend it."""

import re
from pathlib import Path

import pytest

from serinus_airgap import groups, versions
from serinus_airgap.charts import PLACES
from serinus_airgap.description import load as load_images
from serinus_airgap.order import needs
from serinus_airgap.planning import own_inputs
from serinus_airgap.reading import DescriptionError

GO_MOD = """\
module serinus.dev/airgap/x

go 1.26.0 // require example.org/no v9.9.9

require example.org/one v1.0.0

require (
	example.org/two/v2 v2.1.0 // indirect
	example.org/three v0.0.0
)

replace example.org/three => example.org/three v3.0.0

replace (
	example.org/one v1.0.0 => example.org/fork v1.5.0
)
"""


def test_a_replacement_counts_more_than_a_requirement():
    assert groups.versions_in(GO_MOD) == {
        "example.org/one": "v1.5.0",
        "example.org/two/v2": "v2.1.0",
        "example.org/three": "v3.0.0",
    }


@pytest.mark.parametrize(
    ("module", "version", "held"),
    [("example.org/two/v2", "v2.2.0", "v2.1.0"), ("example.org/gone", "v1.0.0", "not at all")],
)
def test_a_difference_from_the_pins_names_the_commands_that_mend_it(module: str, version: str, held: str):
    words = (
        f"airgap/go/x/go.mod has {module} {held}, versions.env says {version}; run there: go get {module}@"
    )
    with pytest.raises(DescriptionError, match=re.escape(words)):
        groups.check_versions("x", {module: version}, GO_MOD)


def test_an_unknown_group_is_named(tmp_path):
    with pytest.raises(DescriptionError, match=r"airgap/go/none/go.mod is missing"):
        groups.load("none", {}, tmp_path)


OURS = sorted(path.name for path in groups.GROUPS.iterdir())


@pytest.mark.parametrize("name", OURS)
def test_every_group_of_the_repository_agrees_with_the_pins(name: str):
    group = groups.load(name, versions.load())
    assert "go.mod" in group.inputs
    assert group.inputs.keys() >= ({"main.go"} if name == "pause" else {"go.sum"})


def test_all_of_kubernetes_staging_modules_are_of_one_version():
    text = (groups.GROUPS / "kubernetes" / "go.mod").read_text()
    replaced = re.findall(r"^\s(k8s.io/\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) == 28
    assert {version for *_, version in replaced} == {versions.load()["KUBERNETES_STAGING"]}
    assert all(there == here for here, there, _ in replaced)


def test_every_image_of_the_repository_can_be_built_as_described():
    pins = versions.load()
    images = load_images(pins)
    used = {name for image in images.values() for name in image.recipe.go}
    known = {name: groups.load(name, pins) for name in used}
    assert needs(images).keys() == images.keys()
    for image in images.values():
        assert own_inputs(image, known, "go")


def test_every_chart_comes_from_a_module_that_its_group_pins():
    for place in PLACES.values():
        declared = groups.load(place.group, versions.load()).declared
        assert declared.modules[place.module] == versions.load()[place.pin]


def test_no_module_keeps_sums_of_nothing():
    empty = [
        name
        for name in OURS
        if (sums := groups.GROUPS / name / "go.sum").exists() and not sums.stat().st_size
    ]
    assert empty == []
    assert Path(groups.GROUPS / "pause" / "go.sum").exists() is False
