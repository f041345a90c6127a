"""The walls between rooms, and the rules of the house that a reader can check by counting."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(p for room in (*ROOT.glob("*/src"), ROOT / "airgap/agents/src") for p in room.rglob("*.py"))
# A file over 300 lines needs a reason, and it stands here. Over 500 is a defect.
LONG_FILES = {
    "tests/unit/operator/test_judge.py": "streams of counters and their verdicts: one table, one function",
}


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_import_linter_keeps_every_contract():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        (
            "feast",
            ("jobs/src/serinus_jobs/feature_store.py", "jobs/src/serinus_jobs/offline/", "feature_repo/"),
        ),
        ("mlflow", ("jobs/src/serinus_jobs/registry.py",)),
        ("onnxruntime", ("jobs/src/serinus_jobs/", "model-server/src/serinus_server/runtime.py")),
        ("kopf", ("operator/src/serinus_operator/handlers.py",)),
        ("evidently", ("jobs/src/serinus_jobs/drift",)),
    ],
)
def test_a_library_is_imported_only_behind_its_door(library: str, allowed: tuple[str, ...]):
    files = [*SOURCES, *sorted((ROOT / "feature_repo").rglob("*.py"))]
    offenders = [relative(p) for p in files if library in imported(p) and not relative(p).startswith(allowed)]
    assert offenders == []


def test_contracts_use_the_standard_library_alone():
    for path in (ROOT / "contracts/src").rglob("*.py"):
        assert imported(path) <= set(sys.stdlib_module_names) | {"serinus_contracts"}, relative(path)


def test_no_room_hides_the_standard_librarys_operator():
    assert not (ROOT / "operator/__init__.py").exists()


def test_long_files_have_a_reason():
    files = [p for folder in ("tests", "bench", "feature_repo") for p in (ROOT / folder).rglob("*.py")]
    lengths = {relative(path): len(path.read_text().splitlines()) for path in [*SOURCES, *files]}
    assert {name for name, lines in lengths.items() if lines > 500} == set()
    assert {name for name, lines in lengths.items() if lines > 300} == set(LONG_FILES)


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name == "__init__.py"], ids=relative)
def test_a_packages_docstring_is_its_rooms_charter(path: Path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "says what the package holds and what it must not do"
    assert len(docstring.splitlines()) <= 12


def test_no_utils():
    assert [relative(p) for p in SOURCES if p.stem in {"utils", "util", "helpers", "common", "misc"}] == []
