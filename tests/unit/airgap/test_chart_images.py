"""Our charts name the images that versions.env pins, and whoever cannot pull builds each of them but one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus_airgap import description, versions

ROOT = Path(__file__).resolve().parents[3]
PINS = versions.load()
BUILT = {image.recipe.image for image in description.load(PINS).values()}
# No package registry has it.
PULLED = {f"docker.io/grafana/grafana:{PINS['GRAFANA']}"}


def images(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "image" and isinstance(value, str):
                yield value
            else:
                yield from images(value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("charts/*/values.yaml")), ids=lambda path: path.parent.name)
def test_every_image_of_a_chart_is_pinned_and_can_be_had(path: Path):
    assert set(images(yaml.safe_load(path.read_text()))) <= BUILT | PULLED


def test_the_charts_name_the_images_that_are_looked_for():
    named = {
        each
        for path in ROOT.glob("charts/*/values.yaml")
        for each in images(yaml.safe_load(path.read_text()))
    }
    assert {PINS["REDIS_IMAGE"], PINS["POSTGRES_IMAGE"], *PULLED} <= named
