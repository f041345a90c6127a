"""Manifests as text."""

import pytest
import yaml

from serinus_cluster.render import UnknownPin, by_namespace, render

RELEASE = """
# Source: a comment of helm's alone
---
{kind: Service, metadata: {name: a}}
---
{kind: Secret, metadata: {name: b, namespace: models}}
---
{kind: Service, metadata: {name: c, namespace: system}}
"""


def test_objects_part_by_namespace_and_those_without_one_go_to_the_releases():
    parted = by_namespace(RELEASE, "system")
    names = {
        where: [each["metadata"]["name"] for each in yaml.safe_load_all(text)]
        for where, text in parted.items()
    }
    assert names == {"system": ["a", "c"], "models": ["b"]}


def test_pins_are_filled_and_other_dollar_signs_stay():
    assert render("a: ${ONE}, $(TWO), $three", {"ONE": "1"}, "file") == "a: 1, $(TWO), $three"


def test_an_unknown_pin_names_file_and_key():
    with pytest.raises(UnknownPin, match=r"values\.yaml: \$\{GONE\} is no key"):
        render("${GONE}", {}, "values.yaml")
