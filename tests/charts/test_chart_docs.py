"""The tool that makes a table out of the comments of values.yaml."""

import pytest
from tools import chart_docs
from tools.chart_docs import Value

SOURCE = """
# No description: a remark.
top:
  # -- First words
  # and more | of them.
  key: 1
  # -- A map as a whole.
  resources:
    requests: { cpu: 10m }
# -- A list.
items:
  - name: inner
    # -- not a value of ours
    value: 2
"""


def test_values_are_read_with_their_comments_and_defaults():
    assert chart_docs.values(SOURCE) == [
        Value("top.key", 1, "First words and more | of them."),
        Value("top.resources", {"requests": {"cpu": "10m"}}, "A map as a whole."),
        Value("items", [{"name": "inner", "value": 2}], "A list."),
    ]


def test_a_bar_does_not_break_the_table():
    assert "| `top.key` | `1` | First words and more \\| of them. |" in chart_docs.table(
        chart_docs.values(SOURCE)
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [("key: 1", "above key"), ("a:\n  b: 1\n  # -- c\n  c: 2", "above a.b"), ("# -- a\n\nb: 1", "above b")],
)
def test_a_value_without_a_comment_is_named(source: str, words: str):
    with pytest.raises(ValueError, match=words):
        chart_docs.values(source)


@pytest.mark.parametrize("readme", ["", "<!-- values -->", "<!-- values --><!-- /values --><!-- values -->"])
def test_a_readme_without_its_markers_is_refused(readme: str):
    with pytest.raises(ValueError, match="once each"):
        chart_docs.with_table(readme, "")


def test_what_stands_around_the_table_stays():
    readme = "before\n<!-- values -->\nold\n<!-- /values -->\nafter\n"
    assert chart_docs.with_table(readme, "new") == readme.replace("old", "new")
