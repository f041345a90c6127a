"""Equal inputs mean no work; a changed one is named and rebuilds what it goes into, nothing else."""

from pathlib import Path

import pytest

from serinus_airgap.description import Image, describe
from serinus_airgap.fingerprint import changed, of_files
from serinus_airgap.groups import Declared, Group
from serinus_airgap.planning import own_inputs, verdicts
from serinus_airgap.reading import DescriptionError

GO = "go1.26.8 linux/amd64"


@pytest.mark.parametrize(
    ("then", "now", "reason"),
    [
        ({"a": "1"}, {"a": "1"}, None),
        (None, {"a": "1"}, "not there yet"),
        ({}, {"a": "1"}, "something else made it"),
        ({"a": "1"}, {"a": "2"}, "a changed"),
        ({"a": "1"}, {"a": "1", "b": "1"}, "b is new"),
        ({"a": "1", "b": "1"}, {"a": "1"}, "b is gone"),
        ({"a": "1", "b": "1"}, {"a": "2", "c": "1"}, "c is new, a changed, b is gone"),
        (
            dict.fromkeys("abcde", "1"),
            dict.fromkeys("abcde", "2"),
            "a changed, b changed, c changed and 2 more",
        ),
    ],
)
def test_what_is_stale_says_why(then: dict[str, str] | None, now: dict[str, str], reason: str | None):
    assert changed(then, now) == reason


def folder(place: Path) -> Path:
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "run.sh").write_text("echo 1\n")
    (place / "Dockerfile").write_text("FROM scratch\n")
    return place


def test_files_count_by_content_and_by_the_right_to_run_and_caches_do_not_count(tmp_path):
    place = folder(tmp_path / "a")
    before = of_files(place)
    assert sorted(before) == ["Dockerfile", "sub/run.sh"]
    (place / "sub" / "__pycache__").mkdir()
    (place / "sub" / "__pycache__" / "x.pyc").write_text("")
    (place / "Dockerfile").touch()
    assert of_files(place) == before
    (place / "sub" / "run.sh").chmod(0o755)
    assert changed(before, of_files(place)) == "sub/run.sh changed"


PINS = {"KIND": "v0.33.0", "SUITE": "bookworm"}
RECIPE = "image: a:1\ngo:\n  tools: [alpha]\n"
DOCKERFILE = "FROM scratch\nARG KIND\n"


def groups(*, go_mod: str = "1", **tools: str) -> dict[str, Group]:
    declared = Declared(tools={"alpha": "example.org/alpha", **tools}, variables={"v": "1"})
    return {"tools": Group("tools", Path("tools"), declared, {"go.mod": go_mod, "go.sum": "1"})}


def made(place: Path, recipe: str = RECIPE, pins: dict[str, str] = PINS) -> Image:
    return describe("a", place, recipe, DOCKERFILE, pins)


@pytest.mark.parametrize(
    ("image", "tools", "go", "reason"),
    [
        ({}, {}, GO, None),
        ({"recipe": "# a word\n" + RECIPE}, {}, GO, None),
        ({"recipe": RECIPE.replace("a:1", "a:2")}, {}, GO, "image.yaml changed"),
        ({"recipe": RECIPE + "push: false\n"}, {}, GO, None),
        ({"pins": {**PINS, "SUITE": "trixie"}}, {}, GO, None),
        ({"pins": {**PINS, "KIND": "v0.34.0"}}, {}, GO, "pins changed"),
        ({}, {}, "go1.27.0 linux/amd64", "Go changed"),
        ({}, {"go_mod": "2"}, GO, "tools/go.mod changed"),
        ({}, {"alpha": "example.org/other"}, GO, "tools/alpha changed"),
        # Another tool of the same group is another image's business.
        ({}, {"beta": "example.org/beta"}, GO, None),
    ],
)
def test_everything_that_goes_in_counts(tmp_path, image: dict, tools: dict, go: str, reason: str | None):
    place = folder(tmp_path / "a")
    before = own_inputs(made(place), groups(), GO)
    assert changed(before, own_inputs(made(place, **image), groups(**tools), go)) == reason


def test_a_changed_file_of_the_folder_is_named(tmp_path):
    place = folder(tmp_path / "a")
    before = own_inputs(made(place), groups(), GO)
    (place / "sub" / "run.sh").write_text("echo 2\n")
    assert changed(before, own_inputs(made(place), groups(), GO)) == "sub/run.sh changed"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            "image: a\nfiles: [no/such]\n",
            r"image.yaml: files: no/such is not in the repository; mend the path",
        ),
        ("image: a\ngo:\n  tools: [gamma]\n", r"image.yaml: go: tools has no tool 'gamma'; it has alpha"),
    ],
)
def test_what_is_named_has_to_be_there(tmp_path, recipe: str, words: str):
    with pytest.raises(DescriptionError, match=f"airgap/images/a/{words}"):
        own_inputs(made(folder(tmp_path / "a"), recipe), groups(), GO)


NEEDED = {"base": [], "other": [], "leaf": ["base"], "top": ["leaf"]}


@pytest.mark.parametrize(
    ("touched", "stale"),
    [
        (None, {}),
        ("other", {"other": "x changed"}),
        ("top", {"top": "x changed"}),
        ("leaf", {"leaf": "x changed", "top": "image leaf changed"}),
        ("base", {"base": "x changed", "leaf": "image base changed", "top": "image leaf changed"}),
    ],
)
def test_a_change_rebuilds_one_image_and_those_that_stand_on_it(touched: str | None, stale: dict[str, str]):
    def inputs_of(name: str) -> dict[str, str]:
        return {"x": "2" if name == touched else "1"}

    held = {verdict.name: verdict.inputs for verdict in verdicts(NEEDED, lambda _: {"x": "1"}, {})}
    found = verdicts(NEEDED, inputs_of, held)
    assert [verdict.name for verdict in found] == list(NEEDED)
    assert {verdict.name: verdict.reason for verdict in found if verdict.reason} == stale


def test_a_lost_image_is_rebuilt_alone():
    held = {verdict.name: verdict.inputs for verdict in verdicts(NEEDED, lambda _: {"x": "1"}, {})}
    del held["base"]
    found = verdicts(NEEDED, lambda _: {"x": "1"}, held)
    assert {verdict.name: verdict.reason for verdict in found if verdict.reason} == {"base": "not there yet"}
