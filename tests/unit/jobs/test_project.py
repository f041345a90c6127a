"""model.yaml and data.yaml: what is refused, and that the message names the file and the place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus_jobs.errors import JobError
from serinus_jobs.project import load_data, load_model

MODELS = Path(__file__).resolve().parents[3] / "manifests/models"


def model() -> dict[str, Any]:
    return {
        "name": "m",
        "label": {"table": "t", "column": "y", "classes": ["no", "yes"]},
        "features": [
            {"name": "x", "type": "float64", "min": 0},
            {"name": "c", "type": "string", "allowed": ["a", "b"]},
        ],
        "estimator": {"class": "sklearn.linear_model.LogisticRegression"},
        "split": {"kind": "stratified"},
        "gates": {"minimum": {"roc_auc": 0.7}},
    }


def data() -> dict[str, Any]:
    return {
        "tables": {"t": {"time": "at", "unique": ["at"], "columns": {"at": {"type": "timestamp"}}}},
    }


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set one place of the document, or delete it (`value` is Ellipsis)."""
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = document
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


def write(folder: Path, name: str, content: Any) -> Path:
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    (folder / name).write_text(text)
    return folder


def test_the_base_documents_are_valid(tmp_path: Path):
    assert load_model(write(tmp_path, "model.yaml", model())).name == "m"
    assert load_data(write(tmp_path, "data.yaml", data())).tables["t"].time == "at"


@pytest.mark.parametrize("name", sorted(path.parent.name for path in MODELS.glob("*/model.yaml")))
def test_the_shipped_projects_are_valid_and_agree(name: str):
    project, tables = load_model(MODELS / name), load_data(MODELS / name).tables
    assert project.name == name
    column = tables[project.label.table].columns[project.label.column]
    assert column.allowed == project.label.classes
    if project.feature_service is None:
        declared = tables[project.label.table].columns
        assert {each.name for each in project.features} <= set(declared)
        for each in project.features:
            assert declared[each.name].type == each.type
            assert (declared[each.name].allowed or ()) == each.allowed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("extra", 1, "unknown field `extra`"),
        ("name", ..., "missing required field `name`"),
        ("name", "Upper Case", "name"),
        ("name", "a" * 50, "name"),
        ("name", "../../etc", "name"),
        ("features", [], "is empty"),
        ("features", "x", r"Expected `array`.*features"),
        ("features.0.type", "float", r"features\[0\].type"),
        ("features.0.min", "low", r"features\[0\].min"),
        ("features.0.allowed", ["a"], "features.x: `allowed` goes with type string"),
        ("features.1.allowed", [], "features.c: `allowed` goes with type string"),
        ("features.1.name", "x", "'x' stands twice"),
        ("label.classes", ["yes"], "at least two classes"),
        ("label.classes", [[1], [2]], r"label.classes"),
        ("label.column", ..., "missing required field `column`"),
        ("estimator.class", ..., "missing required field `class`"),
        ("estimator.class", 7, r"estimator.class"),
        ("estimator.trials", -1, "trials"),
        ("estimator.trials", 10**9, "trials"),
        ("estimator.grid", {"max_depth": 3}, "grid"),
        ("split.kind", "random", "split.kind"),
        ("split.kind", "time", "needs the label table's time column"),
        ("split.holdout", 1.5, "holdout"),
        ("split.holdout_days", 0, "holdout_days"),
        ("threshold", 0, "threshold"),
        ("threshold", 1.0, "threshold"),
        ("threshold", float("nan"), "threshold"),
        ("gates.minimum", {"roc_auc": "high"}, "minimum"),
        ("gates.slices", [{"name": "s", "feature": "nothing"}], "'nothing' is no feature"),
        ("gates.directions", [{"feature": "z", "change": 1, "expect": "up"}], "'z' is no feature"),
        ("gates.directions", [{"feature": "x", "change": 1, "expect": "sideways"}], "expect"),
        ("monitors", {"minimum_rows": 0}, "minimum_rows"),
        ("monitors", {"false_discovery_rate": 2}, "false_discovery_rate"),
    ],
)
def test_a_bad_model_is_refused(tmp_path: Path, path: str, value: Any, message: str):
    write(tmp_path, "model.yaml", changed(model(), path, value))
    with pytest.raises(JobError, match=message) as error:
        load_model(tmp_path)
    assert str(error.value).startswith(str(tmp_path / "model.yaml"))
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("extra", 1, "unknown field `extra`"),
        ("tables", ..., "missing required field `tables`"),
        ("tables.t.time", "nothing", "'nothing' is not among its columns"),
        ("tables.t.unique", ["nothing"], "'nothing' is not among its columns"),
        ("tables.t.columns.at.type", "date", "type"),
        ("tables.t.columns.at.nullable", "no", "nullable"),
        ("tables.t.columns.at.min", [], "min"),
        ("tables.t.columns", None, "columns"),
        ("tables", {"../t": {"columns": {"x": {"type": "int64"}}}}, "tables"),
    ],
)
def test_bad_data_is_refused(tmp_path: Path, path: str, value: Any, message: str):
    write(tmp_path, "data.yaml", changed(data(), path, value))
    with pytest.raises(JobError, match=message) as error:
        load_data(tmp_path)
    assert str(error.value).startswith(str(tmp_path / "data.yaml"))


BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "alias"),
        ("name: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("name: !!python/name:os.system\n", "not YAML"),
        ("\tname: m\n", "not YAML"),
        ("name: [unclosed\n", "not YAML"),
        ("name: a\n---\nname: b\n", "not YAML"),
        ("", "Expected `object`"),
        ("just text\n", "Expected `object`"),
        ("- a list\n", "Expected `object`"),
        ("# " + "x" * (1 << 20), "larger than"),
        ("name: a\x00b\n", "not YAML"),
        ("name: 2026-13-45\n", "not YAML"),
        ("name: " + "1" * 5000 + "\n", "not YAML"),
        ("? [a, b]\n: c\n", "not YAML|Expected|unknown field"),
        ("[" * 50_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
    ],
)
def test_text_that_is_no_project(tmp_path: Path, text: str, message: str):
    for name, load in (("model.yaml", load_model), ("data.yaml", load_data)):
        write(tmp_path, name, text)
        with pytest.raises(JobError, match=message):
            load(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(JobError, match=r"model\.yaml: cannot be read: No such file or directory$"):
        load_model(tmp_path)
    (tmp_path / "model.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "data.yaml").mkdir()
    with pytest.raises(JobError, match="cannot be read"):
        load_data(tmp_path)
